// What the console does beyond its HTML: times by the reader's clock, keys, copying.
// Every page is whole without it.
"use strict";
(() => {
  const two = (n) => String(n).padStart(2, "0");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
  // 00 to 23 everywhere: a page that says 09:14 AM beside 21:14:56 has to be read twice.
  const hours = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const at = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", ...hours });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
  const clock = new Intl.DateTimeFormat(undefined, { ...hours, second: "2-digit" });
  const exact = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...hours, second: "2-digit" });
  const whole = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric", ...hours, second: "2-digit" });

  // span says a length of time as the server does: 3m12s, 5h, 92d.
  const span = (s) => {
    if (s < 60) return Math.floor(s) + "s";
    if (s < 3600) { const r = Math.floor(s % 60); return Math.floor(s / 60) + "m" + (r ? r + "s" : ""); }
    if (s < 48 * 3600) return Math.floor(s / 3600) + "h";
    return Math.floor(s / 86400) + "d";
  };
  const ago = (t, now) => {
    const s = (now - t) / 1000;
    if (s < -1) return "in " + span(-s);
    return s < 2 ? "just now" : span(s) + " ago";
  };
  // The server's "now" may not be this machine's: a simulated world has a clock of its own.
  // It is learned once from each part that comes: what came before is older with every
  // second, and would set the clock back.
  let ahead = 0, newest = 0;
  const now = () => Date.now() + ahead;
  const learn = () => {
    const told = Math.max(0, ...[...document.querySelectorAll("[data-now]")].map((el) => Date.parse(el.dataset.now) || 0));
    if (told > newest) { newest = told; ahead = told - Date.now(); }
  };
  const show = (el) => {
    const t = new Date(el.dateTime);
    if (isNaN(t)) return;
    const text = { ago: () => ago(t, now()), age: () => span(Math.max(0, (now() - t) / 1000)), exact: () => exact.format(t), at: () => at.format(t), day: () => day.format(t), clock: () => clock.format(t) }[el.dataset.time]?.();
    if (text && el.textContent !== text) el.textContent = text;
    const utc = t.getUTCFullYear() + "-" + two(t.getUTCMonth() + 1) + "-" + two(t.getUTCDate()) + " " + two(t.getUTCHours()) + ":" + two(t.getUTCMinutes()) + ":" + two(t.getUTCSeconds()) + " UTC";
    el.title = whole.format(t) + " (" + zone + ")\n" + utc;
  };
  const times = (root) => root.querySelectorAll("time[data-time]").forEach(show);

  const copies = (root) => root.querySelectorAll("[data-copy][hidden]").forEach((b) => { b.hidden = !navigator.clipboard; });
  // What the page is about may have changed, and a tab is chosen by its title.
  const titled = () => {
    const told = document.querySelector("[data-title]")?.dataset.title;
    if (told) document.title = told + " · Rekey";
  };
  const fresh = () => { times(document); copies(document); titled(); };

  document.addEventListener("click", (e) => {
    const b = e.target.closest("[data-copy]");
    if (b) navigator.clipboard.writeText(b.dataset.copy).then(() => { b.textContent = "Copied"; setTimeout(() => { b.textContent = "Copy"; }, 1500); });
    const inside = e.target.closest('a[href^="#"]')?.hash.slice(1);
    const folded = inside && document.getElementById(inside)?.closest("details");
    if (folded) folded.open = true;
    if (e.target.closest("[data-help]")) document.getElementById("keys").showModal();
  });
  // A search follows what is typed. That its field is left changes nothing, and must not
  // exchange the list under somebody who goes on in it with the keys.
  document.addEventListener("change", (e) => { if (e.target.matches("[data-search]")) e.stopPropagation(); }, true);
  // A form is sent once; a second press would be refused, and frighten.
  document.addEventListener("submit", (e) => {
    if (e.target.method !== "post" || e.target.dataset.stays) return;
    const b = e.submitter;
    if (b && b.value !== "file" && b.value !== "page") setTimeout(() => { b.disabled = true; b.setAttribute("aria-busy", "true"); });
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("[aria-busy]").forEach((b) => { b.disabled = false; b.removeAttribute("aria-busy"); }));

  const pages = { e: "/", r: "/runs", c: "/calendar", a: "/approvals", f: "/findings", v: "/evidence", h: "/health" };
  let before = "";
  const rowsOf = () => [...document.querySelectorAll("[data-row]")];
  const rowAt = (rows) => rows.findIndex((r) => r.contains(document.activeElement));
  const mark = () => { const rows = rowsOf(), at = rowAt(rows); rows.forEach((r, i) => r.classList.toggle("at", i === at)); };
  const goRow = (rows, i) => { rows[i]?.querySelector("a")?.focus(); mark(); };
  // What a person has to do on this page: on a list what the row offers, elsewhere the
  // form that waits, or that begins something. It is shown and never sent.
  const decide = () => {
    const rows = rowsOf();
    const offer = (rows[rowAt(rows)] || document).querySelector(".do a");
    const field = [...document.querySelectorAll("[data-do]")].find((el) => el.offsetParent);
    if (field) { field.focus({ preventScroll: true }); field.closest("section, form")?.scrollIntoView({ block: "nearest" }); } else if (offer) offer.click();
    return field || offer;
  };
  document.addEventListener("focusin", mark);
  document.addEventListener("keydown", (e) => {
    if (e.key === "ArrowDown" && e.target.matches("[data-search]") && rowsOf().length) { e.preventDefault(); goRow(rowsOf(), 0); return; }
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select, [contenteditable], dialog[open]")) {
      if (e.key === "Escape" && e.target.matches("input")) e.target.blur();
      return;
    }
    const was = before;
    before = "";
    if (was === "g" && pages[e.key]) { location.href = pages[e.key]; return; }
    switch (e.key) {
      case "g": before = "g"; break;
      case "/": { const q = document.querySelector("[data-search]"); if (q) { e.preventDefault(); q.focus(); q.select(); } break; }
      case "?": document.getElementById("keys").showModal(); break;
      case "d": if (decide()) e.preventDefault(); break;
      case "j": case "k": {
        const rows = rowsOf();
        if (rows.length) goRow(rows, Math.min(Math.max(rowAt(rows) + (e.key === "j" ? 1 : -1), 0), rows.length - 1));
      }
    }
  });

  document.addEventListener("htmx:after:swap", () => { learn(); fresh(); mark(); });
  // A list that is left open follows the world, but never under somebody who types, chooses
  // or has marked text to copy.
  const busy = () => document.hidden || document.querySelector("dialog[open]") || document.activeElement?.closest("form") || !getSelection().isCollapsed;
  setInterval(() => { if (!busy()) document.querySelectorAll("[data-refresh]").forEach((el) => htmx.trigger(el, "refresh")); }, 15000);
  // What comes instead of a list, because a session has ended or a proxy has lost the server,
  // must not take its place: it stays, and says as of when.
  document.addEventListener("htmx:after:request", (e) => {
    const ctx = e.detail?.ctx;
    if (ctx?.sourceElement?.matches('[hx-select="#list"]') && !ctx.text.includes('id="list"')) e.preventDefault();
  });
  // Whoever watches a page that has lost its server must not take what he sees for now.
  const stopped = (is) => document.querySelectorAll("[data-stopped]").forEach((p) => { p.hidden = !is; });
  document.addEventListener("htmx:sse:error", () => stopped(true));
  document.addEventListener("htmx:sse:after:connection", () => stopped(false));
  document.addEventListener("htmx:sse:after:message", () => { learn(); fresh(); });
  const start = () => {
    learn();
    document.querySelectorAll("[data-help]").forEach((b) => { b.hidden = false; });
    fresh();
    setInterval(() => { learn(); times(document); titled(); }, 1000);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
