"""What families of embedders want in front of a query and of a document, as their makers say.

A model that was trained with prefixes and is asked without them finds noticeably less, without any error.
"""

from __future__ import annotations

_WEB = "Represent this sentence for searching relevant passages: "
# Part of the model's name -> (query, document); the first that fits.
_FAMILIES: tuple[tuple[str, tuple[str, str]], ...] = (
    ("bge-m3", ("", "")),
    ("ruri-v3", ("検索クエリ: ", "検索文書: ")),
    ("ruri", ("クエリ: ", "文章: ")),
    ("e5-", ("query: ", "passage: ")),
    ("glucose-base-ja", ("query: ", "passage: ")),
    ("nomic-embed", ("search_query: ", "search_document: ")),
    ("embeddinggemma", ("task: search result | query: ", "title: none | text: ")),
    (
        "qwen3-embedding",
        ("Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:", ""),
    ),
    ("mxbai-embed", (_WEB, "")),
    ("snowflake-arctic-embed", (_WEB, "")),
    ("bge-", (_WEB, "")),
)


def prefixes_of(model: str) -> tuple[str, str]:
    """Prefix of a query and of a document for a model of that name; empty for an unknown family."""
    name = model.lower()
    return next((prefixes for part, prefixes in _FAMILIES if part in name), ("", ""))
