"""Files that are fetched once from their official address into the user's cache."""

from __future__ import annotations

from pathlib import Path

from labctl_procedures.network.errors import ImagesError


def cache() -> Path:
    """Return the folder in which fetched image sets are kept."""
    from platformdirs import user_cache_path

    return user_cache_path("labctl") / "images"


def fetched(images: str, address: str, *, sha256: str, put: str) -> Path:
    """Return a file that is in the cache, or is fetched into it now.

    Parameters
    ----------
    images : str
        Name of the image set, for the error.
    address : str
        Where it is fetched from.
    sha256 : str
        Checksum of the file; anything else is refused.
    put : str
        Which files a person without a network may put into $LABCTL_DATASETS instead.

    Raises
    ------
    ImagesError
        If it cannot be fetched, or is another file.
    """
    import pooch  # type: ignore[import-untyped]  # no stubs

    folder, name = cache(), address.rpartition("/")[2]
    try:
        path = pooch.retrieve(
            address, known_hash=f"sha256:{sha256}", fname=name, path=folder, progressbar=False
        )
    except (OSError, ValueError) as error:  # unreachable (requests' errors are OSError), or altered
        raise ImagesError(
            f"images '{images}': not in $LABCTL_DATASETS, not in {folder}, and {address} "
            f"cannot be fetched ({type(error).__name__}); put {put} into a folder and set "
            "LABCTL_DATASETS to it, or use the built-in set 'digits'"
        ) from error
    return Path(path)
