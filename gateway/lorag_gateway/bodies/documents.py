"""Bodies of documents, search and the index."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lorag.indexer.v1 import indexer_pb2 as pb
from lorag_gateway.bodies.shared import Body, Int32, Time, timestamp


class DocumentBody(Body):
    """What to change of a document."""

    tags: list[str] = Field(description="Takes the place of all tags.", examples=[["manual", "2026"]])
    date: Time | None = Field(default=None, description="Of its content; not given leaves it as it is.")


class Filter(Body):
    """Narrows a search; all that is set must hold."""

    tags: list[str] = Field(default=[], description="Only documents that have all of these tags.")
    date_from: Time | None = Field(default=None, description="Only documents of this date or later.")
    date_until: Time | None = Field(default=None, description="Only documents of an earlier date than this.")
    first_page: Int32 = Field(default=0, description="Only from this page on, counted from 1; 0 means the first.")
    last_page: Int32 = Field(default=0, description="Only up to this page; 0 means the last.")


class SearchBody(Body):
    """A query."""

    query: str = Field(description="What to look for.", examples=["保証期間は何年ですか"])
    top_k: Int32 = Field(default=0, description="At most this many hits; 0 means 5.")
    document_ids: list[str] = Field(default=[], description="Only in these documents.")
    vector_weight: float | None = Field(default=None, description="0 (keywords alone) to 1 (vectors alone).")
    mode: Literal["hybrid", "keyword", "vector"] = Field(default="hybrid", description="Which legs to use.")
    filter: Filter | None = Field(default=None, description="Narrows the search further.")
    rerank: bool = Field(default=False, description="Whether the configured reranker orders the best candidates.")

    def to_proto(self) -> pb.SearchRequest:
        """The service's request."""
        request = pb.SearchRequest(
            query=self.query,
            top_k=self.top_k,
            document_ids=self.document_ids,
            vector_weight=self.vector_weight,
            mode=f"SEARCH_MODE_{self.mode.upper()}",
            rerank=self.rerank,
        )
        if self.filter:
            request.filter.CopyFrom(
                pb.SearchFilter(
                    tags=self.filter.tags,
                    date_from=timestamp(self.filter.date_from),
                    date_until=timestamp(self.filter.date_until),
                    first_page=self.filter.first_page,
                    last_page=self.filter.last_page,
                )
            )
        return request


class TokensBody(Body):
    """A text to cut into terms."""

    text: str = Field(description="A query or a piece of a document.", examples=["外国人参政権"])


class Probe(Body):
    """A question and the passage that answers it."""

    question: str = Field(description="As a user would ask it.", examples=["保証期間は何年ですか"])
    document_id: str = Field(description="The document that answers it.")
    page: Int32 = Field(default=0, description="The page that answers it; 0 means any page is right.")


class ReindexBody(Body):
    """A new index."""

    embedder: str = Field(default="", description="Empty means the configured one.", examples=["bge-m3"])
    questions: list[Probe] = Field(default=[], description="Measures it; empty means questions from the documents.")


class FusionBody(Body):
    """A measurement of vectors, keywords and their mixes."""

    questions: list[Probe] = Field(default=[], description="Empty means questions from the documents.")
    generate: bool = Field(default=False, description="Whether the active model writes the questions.")
