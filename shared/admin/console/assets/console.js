// The script of the console. Without it everything works but updates by themselves and the keys.
"use strict";
(() => {
	const steps = [5, 15, 30]; // seconds between two updates; slower after 10 without a change
	let step = 0, same = 0, etag = "", timer = 0, row = -1, chord = "", chordTimer = 0;
	let paused = sessionStorage.getItem("paused") === "yes";
	const $ = (selector) => document.querySelector(selector);
	const page = () => $("#page");
	const live = () => page().hasAttribute("data-live");
	const button = $("#live");

	// ---- updates ----

	function tell(lost) {
		if (!button) return;
		button.hidden = !live();
		button.setAttribute("aria-pressed", String(paused));
		button.classList.toggle("lost", Boolean(lost));
		button.querySelector(".text").textContent = lost || (paused ? "Paused" : "Live, every " + steps[step] + " s");
	}

	// busy tells whether a swap would take something away from the reader.
	function busy() {
		const active = document.activeElement, selected = getSelection();
		return paused || document.hidden ||
			(active && active !== page() && page().contains(active) && active.matches("input, textarea, select, button, summary, pre")) ||
			(selected && !selected.isCollapsed && page().contains(selected.anchorNode)) ||
			Boolean($("dialog[open]")) || Boolean(page().querySelector("details[open]"));
	}

	async function update() {
		if (!live() || busy()) return;
		const address = location.href;
		let answer;
		try {
			answer = await fetch(address, {
				headers: etag ? { "If-None-Match": etag } : {}, credentials: "same-origin", cache: "no-store",
			});
		} catch {
			tell("No connection");
			return;
		}
		if (answer.redirected || answer.status === 401) return tell("Signed out");
		if (answer.status !== 304 && !answer.ok) return tell("Error " + answer.status);
		if (answer.status === 304) {
			if (++same >= 10) [same, step] = [0, Math.min(step + 1, steps.length - 1)];
			return tell();
		}
		const text = await answer.text();
		if (location.href !== address || busy()) return; // the reader has moved on
		const first = etag === "";
		etag = answer.headers.get("ETag") || "";
		if (!first) [same, step] = [0, 0];
		swap(text);
		tell();
	}

	// swap replaces the content of the page. Its scripts would not run, and it has none.
	function swap(text) {
		const next = new DOMParser().parseFromString(text, "text/html").querySelector("#page");
		if (!next) return;
		const old = page(), chosen = rows()[row];
		const link = chosen && chosen.querySelector("a") && chosen.querySelector("a").href;
		old.replaceWith(document.importNode(next, true));
		row = link ? rows().findIndex((r) => r.querySelector("a") && r.querySelector("a").href === link) : -1;
		mark(false);
		prepare();
	}

	function schedule() {
		clearTimeout(timer);
		timer = setTimeout(async () => {
			await update();
			schedule();
		}, steps[step] * 1000);
	}

	function pause() {
		paused = !paused;
		sessionStorage.setItem("paused", paused ? "yes" : "no");
		[same, step] = [0, 0];
		tell();
		schedule();
		if (!paused) update();
	}

	// ---- keys ----

	const rows = () => [...page().querySelectorAll("tr[data-row]")];

	function mark(scroll) {
		rows().forEach((r, i) => r.classList.toggle("here", i === row));
		if (scroll && rows()[row]) rows()[row].scrollIntoView({ block: "nearest" });
	}

	function move(by) {
		const n = rows().length;
		if (n) row = Math.max(0, Math.min(n - 1, row + by));
		mark(true);
	}

	function open() {
		const link = rows()[row] && rows()[row].querySelector("a");
		if (link) link.click();
	}

	const actions = {
		"/": () => { const f = page().querySelector("input:not([type=hidden]), select, textarea"); if (f) f.focus(); },
		j: () => move(1), k: () => move(-1), o: open, Enter: open, p: pause,
		r: () => { const a = (rows()[row] || page()).querySelector("[data-action=again]") || page().querySelector("[data-action=again]"); if (a) a.click(); },
		"?": () => { const d = $("#keys"); if (d && !d.open) d.showModal(); },
	};

	document.addEventListener("keydown", (e) => {
		const typing = e.target.closest("input, textarea, select, [contenteditable]");
		if (e.key === "Escape" && typing) typing.blur();
		if (typing || e.ctrlKey || e.metaKey || e.altKey || $("dialog[open]")) return;
		if (e.key === "Enter" && e.target.closest("a, button, summary")) return;
		if (chord === "g") {
			chord = "";
			const link = [...document.querySelectorAll("#side nav a")].find((a) => a.dataset.key === e.key);
			if (link) { e.preventDefault(); link.click(); }
			return;
		}
		if (e.key === "g") {
			chord = "g";
			clearTimeout(chordTimer);
			chordTimer = setTimeout(() => { chord = ""; }, 1500);
			return;
		}
		if (Object.hasOwn(actions, e.key)) { e.preventDefault(); actions[e.key](); }
	});

	// ---- small things ----

	function prepare() {
		const here = $("#side nav [aria-current]"); // on a phone the menu scrolls
		if (here) here.parentElement.scrollLeft = here.offsetLeft - 60;
		document.querySelectorAll(".script").forEach((e) => { e.hidden = false; });
		const onward = page().querySelector("a[data-onward]"); // a search that has found nothing yet
		if (onward) location.replace(onward.href);
	}

	document.addEventListener("click", async (e) => {
		const copy = e.target.closest("[data-copy]");
		if (!copy) return;
		const from = document.getElementById(copy.dataset.copy);
		try {
			await navigator.clipboard.writeText(from.textContent);
			copy.textContent = "Copied";
		} catch {
			getSelection().selectAllChildren(from);
			copy.textContent = "Selected: copy it";
		}
	});

	document.addEventListener("change", (e) => {
		if (e.target.matches("[data-submit]")) e.target.form.requestSubmit();
	});

	const enter = $("#enter");
	if (enter && location.hash.length > 1) {
		enter.elements.code.value = location.hash.slice(1);
		history.replaceState(null, "", location.pathname);
		enter.requestSubmit();
	}
	if (button) button.addEventListener("click", pause);
	document.addEventListener("visibilitychange", () => { if (!document.hidden) { [same, step] = [0, 0]; update(); schedule(); } });
	prepare();
	tell();
	schedule();
})();
