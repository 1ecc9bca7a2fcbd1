"""Corpora and their documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from saeatlas.atlas.corpus import Corpus
from saeatlas.atlas.document_view import DocumentView as View
from saeatlas.atlas.document_view import checked_corpus, entries_in, view_document
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.server.live import MAX_ID, AtlasNow, CorpusNow
from saeatlas.server.models.documents import CorpusInfo, CorpusList, DocumentEntries, DocumentFeature, DocumentView
from saeatlas.server.models.names import FeatureNames
from saeatlas.server.models.paging import Page, page_of, stretch_of
from saeatlas.server.models.tables import basis_of
from saeatlas.server.respond import Meta, Table, record, table, tabular, unchanged
from saeatlas.server.where import whole_number

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.atlas import Atlas

__all__ = ["router"]

router = APIRouter(tags=["corpora"])

_MOST_ROWS = 5_000
_MOST_FEATURES = 1_000
_SHOWN_FEATURES = 200


@router.get("/corpora", response_model=CorpusList)
def corpora(request: Request, atlas: AtlasNow) -> Response:
    """List the corpora of the atlas."""
    found = [_info(atlas, atlas.corpus(name)) for name in atlas.corpora]
    return record(request, CorpusList(commit=atlas.commit.number, corpora=found))


@router.get("/corpora/{corpus}", response_model=CorpusInfo)
def corpus_info(request: Request, corpus: CorpusNow) -> Response:
    """Tell what is known about one corpus."""
    return record(request, _info(corpus.atlas, corpus))


@router.get(
    "/corpora/{corpus}/documents",
    response_model=Table,
    responses=tabular({"document": 17, "id": "r-17", "n_rows": 80, "stars": 1}),
)
def documents(
    request: Request,
    corpus: CorpusNow,
    columns: Annotated[
        str | None, Query(max_length=16_000, description="Columns beside `document`, separated by commas.")
    ] = None,
    contains: Annotated[str | None, Query(max_length=1000, description="Only where id or metadata has this.")] = None,
    limit: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Lines at most; 1,000 in JSON.")] = None,
    after: Annotated[int | None, Query(ge=0, le=MAX_ID, description="`next` of the page before: an index.")] = None,
) -> Response:
    """List documents in the order of the corpus: index, id, number of rows and metadata."""
    known = unchanged(request)
    if known is not None:
        return known
    wanted = None if columns is None else list(dict.fromkeys(("document", *columns.split(","))))
    if contains is None:
        page = _page(request, corpus, wanted, limit, after)
    else:
        page = page_of(request, _containing(corpus, contains, wanted), "document", limit, after)
    meta = Meta(commit=corpus.atlas.commit.number, total=page.total, next=page.following)
    return table(request, page.lines, meta)


@router.get(
    "/corpora/{corpus}/vocabulary",
    response_model=Table,
    responses=tabular({"token": 36, "id": 1035, "string": "_"}),
)
def vocabulary(
    request: Request,
    corpus: CorpusNow,
    limit: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Lines at most; 1,000 in JSON.")] = None,
    after: Annotated[int | None, Query(ge=0, le=MAX_ID, description="`next` of the page before: a token.")] = None,
) -> Response:
    """List the tokens of the corpus: `token` as other answers give it, `id` of the tokenizer, and what it reads as."""
    known = unchanged(request)
    if known is not None:
        return known
    if corpus.tokens is None:
        raise NotFound(f"Corpus '{corpus.name}' was imported without tokens")
    page = page_of(request, corpus.tokens.vocabulary(), "token", limit, after)
    meta = Meta(commit=corpus.atlas.commit.number, total=page.total, next=page.following)
    return table(request, page.lines, meta)


@router.get("/corpora/{corpus}/documents/{document:path}", response_model=DocumentView)
def document(  # noqa: PLR0913  # one for each parameter of the query
    request: Request,
    atlas: AtlasNow,
    corpus: CorpusNow,
    document: Annotated[
        str,
        Path(max_length=4_000, description="Id of the document, whatever it looks like; with `by=index` its index."),
    ],
    *,
    by: Annotated[Literal["id", "index"], Query(description="What the path gives.")] = "id",
    sae: Annotated[str | None, Query(max_length=200, description="Show what this SAE's features do.")] = None,
    start: Annotated[int, Query(ge=0, le=MAX_ID, description="First position.")] = 0,
    stop: Annotated[int | None, Query(ge=0, le=MAX_ID, description="One past the last; 5,000 at most.")] = None,
    features: Annotated[
        str | None, Query(max_length=16_000, description="Only these features: ids, separated by commas.")
    ] = None,
    top: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Of each row only so many, strongest.")] = None,
) -> Response:
    """Show a document, or a span of it, and what every feature of an SAE does on each token."""
    which = document if by == "id" else whole_number(document, "The index of a document")
    if stop is None:
        stop = max(start, min(corpus.rows_of(which).size, start + _MOST_ROWS))
    elif stop - start > _MOST_ROWS:
        raise InvalidInput(
            f"One answer shows {_MOST_ROWS:,} rows at most, asked for: {stop - start:,}", hint="Ask for a shorter span."
        )
    view = view_document(corpus, which, start, stop)
    active = _nothing(features, top) if sae is None else _active(atlas.sae(sae), corpus, view, (features, top))
    return record(
        request,
        DocumentView.model_construct(
            commit=atlas.commit.number,
            corpus=corpus.name,
            document=view.document,
            index=view.index,
            n_rows=view.n_rows,
            start=view.start,
            stop=view.stop,
            text=view.text,
            text_start=view.text_start,
            metadata=view.metadata,
            tokens=view.tokens,
            spans=view.spans,
            rows=view.rows.tolist(),
            reason=view.reason,
            **active,
        ),
    )


def _info(atlas: Atlas, corpus: Corpus) -> CorpusInfo:
    attributes = corpus.documents.attributes
    tokens = corpus.tokens
    return CorpusInfo(
        commit=atlas.commit.number,
        name=corpus.name,
        n_documents=corpus.n_documents,
        n_rows=corpus.n_rows,
        n_without_rows=int(attributes["documents_without_rows"]),
        metadata_columns=list(corpus.metadata_columns),
        has_text=bool(attributes["has_text"]),
        has_tokens=tokens is not None,
        has_spans=tokens is not None and tokens.has_spans,
        saes=[name for name in atlas.saes if _ran_on(atlas.sae(name), corpus)],
    )


def _ran_on(sae: SAE, corpus: Corpus) -> bool:
    return sae.has_activations and sae.corpus.name == corpus.name


def _page(request: Request, corpus: Corpus, columns: list[str] | None, limit: int | None, after: int | None) -> Page:
    """Read one page of the documents, whose places are their indices."""
    found = stretch_of(request, range(corpus.n_documents), limit, after)
    lines = corpus.documents.table(columns, found.start, found.stop)
    return Page(lines, corpus.n_documents, found.following)


def _containing(corpus: Corpus, text: str, columns: list[str] | None) -> pa.Table:
    """Return the documents whose id or a text of whose metadata contains a text, in any case."""
    import polars as pl

    every = pl.DataFrame(corpus.table())
    texts = [name for name, kind in every.schema.items() if kind == pl.String]
    lowered = text.lower()
    has = pl.any_horizontal(
        pl.col(name).str.to_lowercase().str.contains(lowered, literal=True).fill_null(value=False) for name in texts
    )
    found: pa.Table = corpus.table(columns).filter(every.select(has).to_series().to_arrow())
    return found


def _nothing(features: str | None, top: int | None) -> dict[str, Any]:
    if features is not None or top is not None:
        raise InvalidInput("Features are of an SAE, and none is named", hint="Add 'sae' to the query.")
    names = ("sae", "labels_position", "basis", "activations", "features", "n_features", "window_size")
    return dict.fromkeys(names)


def _active(sae: SAE, corpus: Corpus, view: View, chosen: tuple[str | None, int | None]) -> dict[str, Any]:
    checked_corpus(sae, corpus)
    features, top = chosen
    wanted = None if features is None else _ids(features)
    names = FeatureNames(sae)
    entries = entries_in(sae, view, wanted, top)
    summary = entries.by_feature()
    return {
        "sae": sae.name,
        "labels_position": names.position,
        "basis": basis_of(sae, int(view.rows.size)),
        "window_size": sae.identity.context_window,
        "activations": DocumentEntries.model_construct(
            feature=entries.features.tolist(), position=entries.positions.tolist(), value=entries.values.tolist()
        ),
        "features": [
            DocumentFeature.model_construct(feature=feature, count=count, max=most, mean=mean, text=names.text(feature))
            for feature, count, most, mean in summary[:_SHOWN_FEATURES]
        ],
        "n_features": len(summary),
    }


def _ids(text: str) -> list[int]:
    found = [whole_number(one, "A feature id") for one in text.split(",") if one.strip()]
    if len(found) > _MOST_FEATURES:
        raise InvalidInput(f"One answer shows {_MOST_FEATURES:,} features at most, asked for: {len(found):,}")
    return found
