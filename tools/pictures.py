"""Make the pictures of the README and docs from the running product: ``make pictures``."""

from __future__ import annotations

from playwright.sync_api import sync_playwright

from tools.serving import CHROMIUM, ROOT, serving

FOLDER = ROOT / "docs" / "pictures"
FIG_2B = "survival?study=short2025&ph_status=negative&risk_group=high&by=mrd_after_cycle_1"
PICTURES = {
    "survival": (FIG_2B, "light", (1280, 720)),
    "survival-dark": (FIG_2B, "dark", (1280, 720)),
    "mrd": ("mrd?study=short2025", "light", (1280, 1110)),
    "transplant": ("transplant?study=short2025&risk_group=high", "light", (1280, 720)),
    "overview": ("?study=short2025&ph_status=negative", "light", (1280, 720)),
    "patients": ("patients?study=chiaretti2004", "light", (1280, 720)),
}


def main() -> None:
    """Take every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, (path, scheme, (width, height)) in PICTURES.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            page.goto(f"{url}/{path}")
            page.get_by_text("snapshot").last.wait_for()
            # The last figure is drawn after the last text has arrived.
            page.wait_for_timeout(1500)
            page.screenshot(path=FOLDER / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
