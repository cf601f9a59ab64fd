"""The routes, in Ollama's shapes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import llama_cpp
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse

from lorag_common.hangup import CallerGone, unless_gone
from lorag_runtime import gguf_info
from lorag_runtime.bodies import ChatBody, CopyBody, CreateBody, EmbedBody, GenerateBody, NameBody, Options
from lorag_runtime.engine import Engine, Generation, Sampling
from lorag_runtime.errors import ApiError
from lorag_runtime.pool import DEFAULT_KEEP_ALIVE, Pool
from lorag_runtime.store import Manifest, Store, full_name, now

VERSION = f"0.0.0-lorag+llama-cpp-python.{llama_cpp.__version__}"
SWEEP_SECONDS = 5.0


def create_app(store: Store, pool: Pool) -> FastAPI:
    """The application over a store and a pool."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(_sweep(pool))
        yield
        sweeper.cancel()

    app = FastAPI(title="LoRAG runtime", version=VERSION, lifespan=lifespan)

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> JSONResponse:
        return JSONResponse({"error": error.message}, error.status)

    @app.exception_handler(CallerGone)
    async def gone(_: Request, __: CallerGone) -> Response:
        return Response(status_code=499)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"error": f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}"}, 400)

    @app.get("/")
    async def alive() -> Response:
        return Response("LoRAG runtime is running", media_type="text/plain")

    @app.get("/api/version")
    async def version() -> dict[str, str]:
        return {"version": VERSION}

    @app.get("/api/tags")
    async def tags() -> dict[str, Any]:
        return {"models": [_listed(m) for m in store.all()]}

    @app.post("/api/show")
    async def show(body: NameBody) -> dict[str, Any]:
        return _shown(store.get(body.name_given))

    @app.get("/api/ps")
    async def ps() -> dict[str, Any]:
        running = await asyncio.to_thread(pool.running)
        return {
            "models": [
                _listed(r.manifest)
                | {"expires_at": _expiry(r.expires), "size_vram": 0, "context_length": r.engine.num_ctx}
                for r in running
            ]
        }

    @app.head("/api/blobs/{digest}")
    async def has_blob(digest: str) -> Response:
        return Response(status_code=200 if store.blob(digest).exists() else 404)

    @app.post("/api/blobs/{digest}", status_code=201)
    async def push_blob(digest: str, request: Request) -> Response:
        await store.write_blob(digest, request.stream())
        return Response(status_code=201)

    @app.post("/api/create")
    async def create(body: CreateBody) -> Response:
        steps = await asyncio.to_thread(_create, store, body)
        lines = [{"status": s} for s in steps]
        return _ndjson(_each(lines)) if body.stream else JSONResponse(lines[-1])

    @app.post("/api/copy")
    async def copy(body: CopyBody) -> Response:
        store.copy(body.source, body.destination)
        return Response(status_code=200)

    @app.delete("/api/delete")
    async def delete(body: NameBody) -> Response:
        manifest = store.get(body.name_given)
        await asyncio.to_thread(pool.unload, manifest.digest)
        store.delete(manifest.name)
        return Response(status_code=200)

    @app.post("/api/embed")
    async def embed(body: EmbedBody) -> dict[str, Any]:
        started = time.perf_counter_ns()
        manifest = store.get(body.model)
        num_ctx = _context(body.options, manifest, pool)
        texts = [body.input] if isinstance(body.input, str) else body.input
        keep = _seconds(body.keep_alive)

        def work() -> tuple[list[list[float]], int, int]:
            engine, load = pool.acquire(manifest, embedding=True, num_ctx=num_ctx, keep_alive=keep)
            try:
                vectors, tokens = engine.embed(texts) if texts else ([], 0)
            finally:
                pool.release(engine)
            return vectors, tokens, load

        vectors, tokens, load = await asyncio.to_thread(work)
        total = time.perf_counter_ns() - started
        timing = {"total_duration": total, "load_duration": load, "prompt_eval_count": tokens}
        return {"model": body.model, "embeddings": vectors} | timing

    @app.post("/api/chat")
    async def chat(body: ChatBody, request: Request) -> Response:
        manifest = store.get(body.model)
        messages = [m.model_dump(exclude_none=True) for m in body.messages]
        if manifest.system and not any(m["role"] == "system" for m in messages):
            messages.insert(0, {"role": "system", "content": manifest.system})
        prompt = (lambda engine: engine.render(messages)) if messages else None
        call = _Call(pool, manifest, body.model, body.options, body.keep_alive, request)
        return await call.respond(prompt, body.stream, lambda text: {"message": {"role": "assistant", "content": text}})

    @app.post("/api/generate")
    async def generate(body: GenerateBody, request: Request) -> Response:
        manifest = store.get(body.model)
        system = body.system if body.system is not None else manifest.system

        def prompt(engine: Engine) -> str:
            if body.raw or not engine.has_template:
                return body.prompt
            messages = [{"role": "system", "content": system}] if system else []
            return engine.render([*messages, {"role": "user", "content": body.prompt}])

        call = _Call(pool, manifest, body.model, body.options, body.keep_alive, request)
        return await call.respond(prompt if body.prompt else None, body.stream, lambda text: {"response": text})

    return app


class _Call:
    """One generation over HTTP."""

    def __init__(
        self, pool: Pool, manifest: Manifest, model: str, options: Options, keep_alive: Any, request: Request
    ) -> None:
        self.pool, self.manifest, self.model, self.request = pool, manifest, model, request
        self.num_ctx = _context(options, manifest, pool)
        self.sampling = _sampling(options, manifest)
        self.keep_alive = _seconds(keep_alive)
        self.started = time.perf_counter_ns()

    async def respond(
        self, prompt: Callable[[Engine], str] | None, stream: bool, shape: Callable[[str], dict[str, Any]]
    ) -> Response:
        """Load, render and tokenize first, so that what is wrong gets its status; then stream, or answer whole."""
        if prompt is None:  # only load, or with keep_alive 0 unload
            return JSONResponse(await asyncio.to_thread(self._touch, shape))
        engine, load = await asyncio.to_thread(
            self.pool.acquire, self.manifest, embedding=False, num_ctx=self.num_ctx, keep_alive=self.keep_alive
        )
        try:
            call = await asyncio.to_thread(lambda: engine.prepare(prompt(engine), self.sampling))
        except BaseException:
            await asyncio.to_thread(self.pool.release, engine)
            raise
        lines = self._lines(engine, call, load, shape)
        if stream:
            return _ndjson(lines)
        return JSONResponse(await unless_gone(self.request.receive, _whole(lines, shape)))

    async def _lines(
        self, engine: Engine, call: Generation, load: int, shape: Callable[[str], dict[str, Any]]
    ) -> AsyncGenerator[dict[str, Any]]:
        pieces = engine.generate(call)
        head = {"model": self.model}
        try:
            async with engine.turn:
                while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                    yield head | {"created_at": now(), "done": False} | shape(piece)
            counts = asdict(call.counts)
            timing = {"total_duration": time.perf_counter_ns() - self.started, "load_duration": load}
            yield head | {"created_at": now(), "done": True} | shape("") | timing | counts
        finally:
            # Also when the client went away: the generator is closed, and with it the model is free again.
            call.cancelled.set()
            with suppress(ValueError):
                pieces.close()
            self.pool.release(engine)

    def _touch(self, shape: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        reason = "load"
        if self.keep_alive > 0:
            engine, _ = self.pool.acquire(
                self.manifest, embedding=False, num_ctx=self.num_ctx, keep_alive=self.keep_alive
            )
            self.pool.release(engine)
        else:
            self.pool.unload(self.manifest.digest)
            reason = "unload"
        return {"model": self.model, "created_at": now(), "done": True, "done_reason": reason} | shape("")


async def _whole(lines: AsyncGenerator[dict[str, Any]], shape: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    text = ""
    async with aclosing(lines):
        async for line in lines:
            text += line.get("response", "") or line.get("message", {}).get("content", "")
            whole = line
    return whole | shape(text)


def _create(store: Store, body: CreateBody) -> list[str]:
    if body.template:
        raise ApiError(400, "the embedded runtime renders the GGUF's own chat template; leave 'template' out")
    name = full_name(body.name_given)
    if body.from_:
        source = store.get(body.from_)
        digest, details, metadata = source.digest, source.details, source.model_info
    else:
        if len(body.files) != 1:
            raise ApiError(400, "give exactly one GGUF file, or 'from'")
        (digest,) = body.files.values()
        if not store.blob(digest).exists():
            raise ApiError(400, f"blob '{digest}' is not here; push it first")
        details, metadata = gguf_info.read(store.blob(digest))
    manifest = Manifest(
        name=name,
        digest=digest,
        size=store.blob(digest).stat().st_size,
        modified_at=now(),
        system=body.system or "",
        license="\n".join(_many(body.license)) if body.license else "",
        parameters=body.parameters,
        details=details,
        model_info=metadata,
    )
    store.put(manifest)
    return ["parsing GGUF", "writing manifest", "success"]


def _listed(m: Manifest) -> dict[str, Any]:
    digest = m.digest.removeprefix("sha256:")
    base = {"name": m.name, "model": m.name, "modified_at": m.modified_at, "size": m.size}
    return base | {"digest": digest, "details": m.details}


def _shown(m: Manifest) -> dict[str, Any]:
    lines = [
        f"{k} {json.dumps(v, ensure_ascii=False) if isinstance(v, str) else v}"
        for k, vs in m.parameters.items()
        for v in _many(vs)
    ]
    modelfile = [f"FROM {m.digest}", *(f"PARAMETER {line}" for line in lines)]
    if m.system:
        modelfile.append(f"SYSTEM {json.dumps(m.system, ensure_ascii=False)}")
    kinds = ["embedding"] if gguf_info.has_own_pooling(m.model_info) else ["completion"]
    return {
        "modelfile": "\n".join(modelfile),
        "parameters": "\n".join(lines),
        "template": m.model_info.get("tokenizer.chat_template", ""),
        "system": m.system,
        "license": m.license,
        "details": m.details,
        "model_info": {k: v for k, v in m.model_info.items() if k != "tokenizer.chat_template"},
        "capabilities": kinds,
        "modified_at": m.modified_at,
    }


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _context(options: Options, manifest: Manifest, pool: Pool) -> int:
    return int(options.num_ctx or manifest.parameters.get("num_ctx") or pool.num_ctx)


def _sampling(options: Options, manifest: Manifest) -> Sampling:
    known = Sampling.__dataclass_fields__
    merged = {k: v for k, v in manifest.parameters.items() if k in known}
    merged |= {k: v for k, v in options.model_dump(exclude_none=True).items() if k in known}
    merged["stop"] = tuple(_many(merged.get("stop", [])))
    return Sampling(**merged)


def _seconds(keep_alive: float | str | None) -> float:
    """Ollama's keep_alive: seconds, or a duration such as `5m`; below 0 means for ever."""
    if keep_alive is None:
        return DEFAULT_KEEP_ALIVE
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    text = str(keep_alive)
    unit = next((u for u in units if text.endswith(u) and (u != "s" or not text.endswith("ms"))), "")
    try:
        seconds = float(text.removesuffix(unit)) * units.get(unit, 1.0)
    except ValueError:
        raise ApiError(400, f"invalid keep_alive '{keep_alive}'") from None
    return seconds if seconds >= 0 else 10.0**9


def _expiry(expires: float) -> str:
    left = timedelta(seconds=min(expires - time.monotonic(), 10.0**9))
    return (datetime.now(UTC) + left).isoformat().replace("+00:00", "Z")


async def _each(lines: list[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for line in lines:
        yield line


def _ndjson(lines: AsyncIterator[dict[str, Any]]) -> StreamingResponse:
    async def encoded() -> AsyncIterator[bytes]:
        async for line in lines:
            yield (json.dumps(line, ensure_ascii=False) + "\n").encode()

    return StreamingResponse(encoded(), media_type="application/x-ndjson")


async def _sweep(pool: Pool) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await asyncio.to_thread(pool.expire)
