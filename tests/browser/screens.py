"""Screenshots of a page, wide and narrow, light and dark; they stay in tests/output/screens to be looked at."""

from tests.support.project import PROJECT

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
# Texts whose colour has less than LEAST_CONTRAST to what is behind them, by the formula of WCAG 2, and how much it is.
LEAST_CONTRAST = 4.5
FAINT = """least => {
    // The admin's links change their colour slowly.
    document.getAnimations().forEach(a => a.finish());
    const parts = colour => colour.match(/[0-9.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = parts(colour).slice(0, 3).map(
            c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = e => {
        for (; e; e = e.parentElement) {
            const colour = getComputedStyle(e).backgroundColor;
            if ((parts(colour)[3] ?? 1) > 0) return colour;
        }
        return "rgb(255, 255, 255)";
    };
    const faint = [];
    for (const e of document.querySelectorAll("#content *")) {
        const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data.trim()).join("");
        if (!text || !e.checkVisibility() || e.closest("title, option")) continue;
        const style = getComputedStyle(e), fore = e.closest("svg") ? style.fill : style.color;
        const [low, high] = [light(fore), light(behind(e))].sort((a, b) => a - b);
        const ratio = (high + 0.05) / (low + 0.05);
        if (ratio < least) faint.push(`${text}: ${ratio.toFixed(1)}`);
    }
    return faint;
}"""


def fits(page, name: str) -> None:
    """Fails if the page scrolls sideways, wide or narrow. It is wide afterwards."""
    for width in (NARROW, WIDE):
        _fits_at(page, name, width)


def keep(page, name: str) -> None:
    """Keep four screenshots of the page as it is; fails if it does not fit, or is hard to read.

    It is wide and light afterwards.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    for width in (NARROW, WIDE):
        _fits_at(page, name, width)
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert not (found := page.evaluate(FAINT, LEAST_CONTRAST)), f"{name} is hard to read, {scheme}: {found}"
            path = FOLDER / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True, animations="disabled")


def _fits_at(page, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})
    assert not (found := page.evaluate(STANDS_OUT, width == WIDE)), f"{name} is too wide at {width}: {found}"
