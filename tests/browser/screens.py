"""Screenshots of a page, wide and narrow, light and dark; they stay in tests/output/screens to be looked at."""

from tests.conftest import PROJECT

FOLDER = PROJECT / "tests" / "output" / "screens"
WIDE, NARROW = 1500, 390
HEIGHT = 900
# How far the page reaches, and what stands out at the right; nothing if it fits. On a wide screen the tables of lists
# must fit too, on a narrow one they scroll by themselves.
STANDS_OUT = """isWide => {
    const found = [document.scrollingElement, ...(isWide ? document.querySelectorAll("#changelist .results") : [])];
    const within = found.filter(box => box.scrollWidth > box.clientWidth);
    const wide = box => [...box.querySelectorAll("*")].filter(
        e => e.getBoundingClientRect().right > box.getBoundingClientRect().left + box.clientWidth + 0.5);
    return within.map(box => [box.scrollWidth, ...wide(box).map(e => `${e.tagName}.${e.className}#${e.id}`)]);
}"""


def fits(page, name: str) -> None:
    """Fails if the page scrolls sideways, wide or narrow. It is wide afterwards."""
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        assert not (found := page.evaluate(STANDS_OUT, width == WIDE)), f"{name} is too wide at {width}: {found}"


def keep(page, name: str) -> None:
    """Keep four screenshots of the page as it is; fails if it does not fit. It is wide and light afterwards."""
    fits(page, name)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for width in (NARROW, WIDE):
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            path = FOLDER / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True, animations="disabled")
