// Documents: the list follows uploads and the jobs that index them.

import { complain, refresh } from "./api.js";
import "./jobs.js";

const list = document.getElementById("documents");
const again = () => refresh(list).catch(complain);

document.addEventListener("uploaded", again);
document.addEventListener("job-ended", again);
