"""The indexed documents as training text: the indexer's export, streamed into the trainer's upload."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from lorag.indexer.v1 import indexer_pb2
from lorag.trainer.v1 import trainer_pb2
from lorag_common.channel import CHUNK_BYTES
from lorag_common.errors import LoragError, Reason
from lorag_gateway.services import Services

PAGE_SIZE = 200
READY = indexer_pb2.DOCUMENT_STATE_READY


async def dataset_messages(
    services: Services, document_ids: list[str], name: str
) -> AsyncIterator[trainer_pb2.UploadDatasetRequest]:
    """The messages of an upload: one `{"text": ...}` line a document, its pages in order.

    Args:
        services: the indexer is asked, a page at a time.
        document_ids: in this order; empty means every searchable document, by id, so that the same documents give the
            same bytes and with them the same dataset.
        name: of the dataset, for people.

    Raises:
        LoragError: DOCUMENT_NOT_FOUND; INDEX_EMPTY when there is no document with text.
    """
    yield trainer_pb2.UploadDatasetRequest(metadata=trainer_pb2.UploadDatasetMetadata(name=name))
    some = False
    for document_id in document_ids or await _searchable(services):
        text = "\n".join([page async for page in pages(services, document_id) if page.strip()])
        if not text:
            continue
        some = True
        line = (json.dumps({"text": text}, ensure_ascii=False) + "\n").encode()
        for start in range(0, len(line), CHUNK_BYTES):
            yield trainer_pb2.UploadDatasetRequest(chunk=line[start : start + CHUNK_BYTES])
    if not some:
        raise LoragError(Reason.INDEX_EMPTY, "There is no document whose text could be trained on.")


async def pages(services: Services, document_id: str) -> AsyncIterator[str]:
    """The text of each page of a document, from the first.

    Raises:
        LoragError: DOCUMENT_NOT_FOUND.
    """
    request = indexer_pb2.ExportTextRequest(document_id=document_id)
    async for page in services.stream("indexer", services.indexer.ExportText, request):
        yield page.text


async def _searchable(services: Services) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        request = indexer_pb2.ListDocumentsRequest(page_size=PAGE_SIZE, page_token=token, state=READY)
        answer = await services.call("indexer", services.indexer.ListDocuments, request)
        found += [document.id for document in answer.documents]
        token = answer.next_page_token
        if not token:
            return sorted(found)
