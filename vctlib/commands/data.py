"""`vct data`: list, fetch and verify what data_manifest.yaml names."""

from collections.abc import Sequence

from vctlib.errors import InputError
from vctlib.manifest import Entry, how_to_obtain, load_manifest, locate, resolve


def size(entry: Entry) -> str:
    if entry.bytes is None:
        return "?"
    return f"{entry.bytes / 1e6:.1f} MB" if entry.bytes >= 1e5 else f"{entry.bytes / 1e3:.1f} kB"


def state(entry: Entry) -> str:
    """Where a verified copy lies, or why there is none, in one word or two."""
    if entry.status == "unverified":
        return "no checksum"
    try:
        found = locate(entry)
    except InputError:
        return "WRONG"
    if found:
        return found[0]
    return "can be fetched" if entry.fetchable else "by hand"


def list_entries() -> None:
    """Print a table of all entries."""
    rows = [
        (e.name, size(e), state(e), e.licence, "yes" if e.redistributable else "no") for e in load_manifest().values()
    ]
    rows.insert(0, ("name", "size", "here", "licence", "redistributable"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def fetch_entries(names: Sequence[str], everything: bool) -> None:
    """Fetch entries and print their paths. Raises InputError for the first that cannot be had.

    With `everything`, those that are not fetched automatically are only named.
    """
    entries = load_manifest()
    if not names and not everything:
        raise InputError("vct data fetch: name entries (vct data list shows them), or write --all")
    for name in entries if everything else names:
        if everything and not entries[name].fetchable and not _here(entries[name]):
            print(how_to_obtain(entries[name]))
            continue
        print(f"{name}: {resolve(name, manifest=entries)}")


def _here(entry: Entry) -> bool:
    return locate(entry) is not None


def verify_entries() -> None:
    """Check every copy on this machine against its SHA-256. Raises InputError naming all that are wrong."""
    wrong = []
    for entry in load_manifest().values():
        try:
            found = locate(entry)
        except InputError as error:
            wrong.append(str(error))
            print(f"WRONG    {entry.name}")
            continue
        print(f"{'ok      ' if found else 'not here'} {entry.name}" + (f": {found[1]}" if found else ""))
    if wrong:
        raise InputError("; ".join(wrong))
