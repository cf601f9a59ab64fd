from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lorag_common.errors import LoragError
from lorag_common.model_server import EmbeddingFacts
from lorag_common.rag_config import RagConfig, save
from lorag_indexer.chunks import ChunkSettings
from lorag_indexer.embedder import BATCH, Embedder, EmbedderIdentity
from lorag_indexer.embedder_settings import EmbedderSettings


class Server:
    """Counts its calls and embeds by length."""

    def __init__(self, models: dict[str, str], row: list[float] | None = None) -> None:
        self.models, self.row, self.batches = models, row, list[int]()
        self.texts: list[str] = []
        self.facts = EmbeddingFacts(512, "mean")

    def list(self) -> dict[str, str]:
        return self.models

    def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        self.batches.append(len(texts))
        self.texts += texts
        return [self.row or [float(len(t)), 1.0, 0.0] for t in texts]

    def embedding_facts(self, model: str) -> EmbeddingFacts:
        return self.facts

    def count_tokens(self, model: str, text: str) -> int:
        return len(text)


def embedder(tmp_path: Path, server: Server, setting: str = "") -> Embedder:
    return Embedder(tmp_path, EmbedderSettings(setting), "http://127.0.0.1:1", lambda _: server)


def config(tmp_path: Path, active: str = "", chosen: str = "") -> None:
    c = RagConfig()
    c.llm.ollama.model, c.embedding.model = active, chosen
    save(tmp_path, c)


def test_the_setting_comes_before_the_configuration_and_that_before_the_active_model(tmp_path: Path) -> None:
    server = Server({})
    with pytest.raises(LoragError) as caught:
        embedder(tmp_path, server).configured()
    assert caught.value.reason == "EMBEDDER_MISSING"
    config(tmp_path, active="demo")
    assert (embedder(tmp_path, server).configured(), embedder(tmp_path, server).wanted()) == ("demo", "")
    config(tmp_path, active="demo", chosen="bge-m3")
    assert embedder(tmp_path, server).configured() == "bge-m3"
    assert embedder(tmp_path, server, "ruri").configured() == "ruri"


def test_a_moving_name_is_pinned_to_its_version(tmp_path: Path) -> None:
    server = Server({"demo:latest": "d2", "demo:v1": "d1", "demo:v2": "d2", "other:v9": "d2"})
    assert embedder(tmp_path, server).identify("demo") == EmbedderIdentity("demo:v2", "d2", 3, "mean")
    assert embedder(tmp_path, server).identify("demo:v1").model == "demo:v1"


def test_an_unknown_model_and_a_changed_one(tmp_path: Path) -> None:
    e = embedder(tmp_path, Server({"demo:v1": "d1"}))
    for call in (lambda: e.identify("bge"), lambda: e.check(EmbedderIdentity("bge:latest", "x", 3))):
        with pytest.raises(LoragError) as caught:
            call()
        assert caught.value.reason == "MODEL_NOT_FOUND"
    with pytest.raises(LoragError) as caught:
        e.check(EmbedderIdentity("demo:v1", "older", 3))
    assert caught.value.reason == "EMBEDDER_CHANGED"
    assert "reindex" in caught.value.remedy
    e.check(EmbedderIdentity("demo:v1", "d1", 3))


def test_vectors_have_unit_length_and_come_in_batches(tmp_path: Path) -> None:
    server = Server({"m:latest": "d"})
    vectors = embedder(tmp_path, server).embed_documents(EmbedderIdentity("m:latest", "d", 3), ["x"] * (BATCH + 1))
    assert server.batches == [BATCH, 1]
    assert all(np.linalg.norm(v) == pytest.approx(1) for v in vectors)
    assert embedder(tmp_path, server).embed_documents(EmbedderIdentity("m:latest", "d", 3), []) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([0.0, 0.0, 0.0], "MODEL_SERVER_FAILED"),
        ([float("nan"), 1.0, 0.0], "MODEL_SERVER_FAILED"),
        ([1.0, 2.0], "EMBEDDER_CHANGED"),
    ],
)
def test_vectors_that_would_spoil_the_index_are_refused(tmp_path: Path, row: list[float], reason: str) -> None:
    with pytest.raises(LoragError) as caught:
        embedder(tmp_path, Server({}, row)).embed_documents(EmbedderIdentity("m", "d", 3), ["x"])
    assert caught.value.reason == reason


def test_families_get_their_prefixes_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    server = Server({"ruri-v3:latest": "d", "bge-m3:latest": "b"})
    identity = embedder(tmp_path, server).identify("ruri-v3")
    assert (identity.query_prefix, identity.document_prefix) == ("検索クエリ: ", "検索文書: ")
    assert embedder(tmp_path, server).identify("bge-m3").query_prefix == ""
    embedder(tmp_path, server).embed_query(identity, "休暇")
    embedder(tmp_path, server).embed_documents(identity, ["休暇"])
    assert server.texts[-2:] == ["検索クエリ: 休暇", "検索文書: 休暇"]
    chosen = Embedder(tmp_path, EmbedderSettings("", "q: ", ""), "http://127.0.0.1:1", lambda _: server)
    assert chosen.identify("ruri-v3") != identity
    assert (chosen.identify("ruri-v3").query_prefix, chosen.identify("ruri-v3").document_prefix) == ("q: ", "")


def test_chunks_fit_the_context_of_the_embedder(tmp_path: Path) -> None:
    server = Server({"m:latest": "d"})
    e = embedder(tmp_path, server)
    identity = e.identify("m")
    assert e.fitted(identity, ChunkSettings(400)).characters == 358  # a token a character, 70 % of 512
    assert e.fitted(identity, ChunkSettings(100)) == ChunkSettings(100, tokens=100)
    server.facts = EmbeddingFacts()
    assert e.fitted(identity, ChunkSettings(400)) == ChunkSettings(400)


def test_a_local_model_is_named_by_its_folder(tmp_path: Path) -> None:
    with pytest.raises(LoragError) as caught:
        embedder(tmp_path, Server({})).identify(f"local:{tmp_path}/none")
    assert caught.value.reason == "MODEL_NOT_FOUND"
    assert "local:" in caught.value.remedy
