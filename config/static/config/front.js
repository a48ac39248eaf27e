// Puts a fresh look in the place of the old one, while somebody looks; without scripts the page stays as it came.
"use strict";
(() => {
    const front = () => document.getElementById("front");

    const refresh = async () => {
        if (document.hidden || !front() || front().contains(document.activeElement)) return;
        try {
            const response = await fetch(location.href, {signal: AbortSignal.timeout(10000)});
            const page = new DOMParser().parseFromString(await response.text(), "text/html");
            const fresh = page.getElementById("front");
            if (!response.ok || !fresh) throw new Error();
            front().replaceWith(fresh);
        } catch {
            const age = document.getElementById("front-age");
            if (age) age.textContent = "no newer look could be had; load the page again";
        }
    };

    document.addEventListener("DOMContentLoaded", () => {
        if (front()) setInterval(refresh, 1000 * front().dataset.refreshS);
    });
})();
