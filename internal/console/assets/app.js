// What the console does beyond its HTML: times by the reader's clock, keys, copying.
// Every page is whole without it.
"use strict";
(() => {
  const two = (n) => String(n).padStart(2, "0");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
  const at = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
  const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const exact = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
  const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

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
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const learn = () => {
    const told = document.querySelector("main")?.dataset.now;
    if (told) ahead = Date.parse(told) - Date.now();
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
  const fresh = () => { times(document); copies(document); };

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
  let before = "", row = -1;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select, [contenteditable], dialog[open]")) {
      if (e.key === "Escape" && e.target.matches("input[type=search]")) e.target.blur();
      return;
    }
    const was = before;
    before = "";
    if (was === "g" && pages[e.key]) { location.href = pages[e.key]; return; }
    switch (e.key) {
      case "g": before = "g"; break;
      case "/": { const q = document.querySelector("[data-search]"); if (q) { e.preventDefault(); q.focus(); q.select(); } break; }
      case "?": document.getElementById("keys").showModal(); break;
      case "j": case "k": {
        const rows = [...document.querySelectorAll("[data-row]")];
        if (!rows.length) return;
        row = Math.min(Math.max(row + (e.key === "j" ? 1 : -1), 0), rows.length - 1);
        rows.forEach((r, i) => r.classList.toggle("at", i === row));
        rows[row].querySelector("a")?.focus();
      }
    }
  });

  document.addEventListener("htmx:after:swap", () => { learn(); fresh(); row = -1; });
  // Whoever watches a page that has lost its server must not take what he sees for now.
  const stopped = (is) => document.querySelectorAll("[data-stopped]").forEach((p) => { p.hidden = !is; });
  document.addEventListener("htmx:sse:error", () => stopped(true));
  document.addEventListener("htmx:sse:after:connection", () => stopped(false));
  document.addEventListener("htmx:sse:after:message", () => { learn(); fresh(); });
  const start = () => {
    learn();
    document.querySelectorAll("[data-help]").forEach((b) => { b.hidden = false; });
    fresh();
    setInterval(() => times(document), 1000);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start); else start();
})();
