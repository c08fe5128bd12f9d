"""The ways of a MAC: tables of sums, inputs that are on, products of matrices; on threads."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from labctl_instruments.chip import driven, products
from labctl_instruments.chip.conversion import chunks, convert_chunk
from labctl_instruments.chip.random import Key
from labctl_instruments.chip.request import Request
from labctl_instruments.chip.sums import is_tabulable, tabulate
from labctl_instruments.chip.workers import Workers

CodeArray = npt.NDArray[np.uint8]
WIDEST_TABLES = 32
"""Inputs of a block above which tables of sums are slower than the other ways."""


def multiply(
    request: Request, codes: CodeArray, draws: tuple[Key, int], workers: Workers
) -> tuple[npt.NDArray[np.int32], int]:
    """Return sums of shifted codes, shape (n, n_outputs), and how many codes saturated.

    Parameters
    ----------
    request : Request
        The currents that sum up, and how they are converted.
    codes : ndarray of shape (n, n_inputs), uint8
        The input vectors.
    draws : (Key, int)
        Key of the noise, and number of the first vector's draw.
    workers : Workers
        Who does it; the answer does not depend on them.
    """
    out = np.empty((len(codes), request.plan.n_outputs), np.int32)
    narrow = request.plan.width <= WIDEST_TABLES and request.plan.dac_bits == 1
    if narrow and is_tabulable(request, n_vectors=len(codes)):
        return out, _by_tables(request, codes, draws, workers, out)
    if driven.fits(request):
        return out, _by_inputs(request, codes, draws, workers, out)
    return out, _by_products(request, codes, draws, workers, out)


def _by_tables(
    request: Request,
    codes: CodeArray,
    draws: tuple[Key, int],
    workers: Workers,
    out: npt.NDArray[np.int32],
) -> int:
    sums = tabulate(request, n_vectors=len(codes))
    key, first = draws

    def convert(part: slice) -> int:
        out[part] = 0
        return convert_chunk(sums, codes[part], key, first + part.start, out[part])

    return workers.on_parts(convert, chunks(len(codes), workers.threads))


def _by_inputs(
    request: Request,
    codes: CodeArray,
    draws: tuple[Key, int],
    workers: Workers,
    out: npt.NDArray[np.int32],
) -> int:
    prepared = driven.driven(request)
    key, first = draws

    def convert(part: slice) -> int:
        out[part] = 0
        return driven.convert(prepared, codes[part], key, first + part.start, out[part])

    return workers.on_parts(convert, chunks(len(codes), workers.threads))


def _by_products(
    request: Request,
    codes: CodeArray,
    draws: tuple[Key, int],
    workers: Workers,
    out: npt.NDArray[np.int32],
) -> int:
    key, first = draws
    out[:] = 0
    saturated = 0
    for some in products.parts(request, len(codes)):
        for batch in products.batches(request, codes[some]):

            def convert(part: slice, batch: products.Batch = batch, some: slice = some) -> int:
                event = first + some.start
                return products.convert_batch(batch, part, key, event, out[some])

            n_vectors = some.stop - some.start
            saturated += workers.on_parts(convert, chunks(n_vectors, workers.threads))
    return saturated
