// Behaviour of every page. Pages work without it, except charts, graphs, live rows and the palette.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// Navigation drawer on narrow screens
function setUpDrawer() {
  const nav = $("#nav");
  const toggle = $("#nav-toggle");
  const scrim = $("#nav-scrim");
  if (!nav || !toggle) return;
  const show = (open) => {
    nav.classList.toggle("is-open", open);
    scrim.classList.toggle("is-open", open);
    toggle.setAttribute("aria-expanded", String(open));
    if (open) $("a", nav).focus();
    else toggle.focus();
  };
  toggle.addEventListener("click", () => show(!nav.classList.contains("is-open")));
  scrim.addEventListener("click", () => show(false));
  nav.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && nav.classList.contains("is-open")) show(false);
  });
}

// The tab of this page stands in sight where not all of them do
function showTab() {
  for (const tab of $$(".tabs [aria-current]")) {
    const row = tab.closest(".tabs");
    const beyond = tab.offsetLeft + tab.offsetWidth - row.offsetLeft - row.clientWidth;
    if (beyond > 0) row.scrollLeft = beyond + 24;
  }
}

// Menus are <details>: close on Escape, on a click elsewhere, and when another opens
function setUpMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const menu = event.target.closest?.("details.menu[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    }
  });
}

// Dialogs: data-open names one, data-close closes the one it stands in
function setUpDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.open);
      if (dialog.id === "palette") openPalette();
      else dialog.showModal();
    }
    if (event.target.closest?.("[data-close]")) event.target.closest("dialog").close();
    if (event.target.nodeName === "DIALOG") event.target.close();
  });
}

// Command palette
function openPalette() {
  const dialog = $("#palette");
  if (!dialog || dialog.open) return;
  dialog.showModal();
  const input = $("#palette-input");
  input.value = "";
  input.focus();
  askPalette();
}

let paletteAsked = 0;
async function askPalette() {
  const input = $("#palette-input");
  const turn = ++paletteAsked;
  const url = new URL(input.dataset.url, location.href);
  url.searchParams.set("q", input.value);
  for (const key of ["site", "range"]) {
    const value = new URLSearchParams(location.search).get(key);
    if (value) url.searchParams.set(key, value);
  }
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (turn !== paletteAsked || !answer.ok) return;
  $("#palette-list").innerHTML = await answer.text();
  mark(0);
}

function mark(index) {
  const items = $$("#palette-list [role=option]");
  if (!items.length) return;
  const at = (index + items.length) % items.length;
  items.forEach((item, i) => {
    item.classList.toggle("is-active", i === at);
    item.setAttribute("aria-selected", String(i === at));
  });
  items[at].scrollIntoView({ block: "nearest" });
  $("#palette-input").setAttribute("aria-activedescendant", items[at].id);
}

function setUpPalette() {
  const input = $("#palette-input");
  if (!input) return;
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(askPalette, 120);
  });
  input.addEventListener("keydown", (event) => {
    const items = $$("#palette-list [role=option]");
    const at = items.findIndex((item) => item.classList.contains("is-active"));
    if (event.key === "ArrowDown") { event.preventDefault(); mark(at + 1); }
    if (event.key === "ArrowUp") { event.preventDefault(); mark(at - 1); }
    if (event.key === "Enter") { event.preventDefault(); items[at]?.click(); }
  });
}

const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");
function setUpKeys() {
  let prefix = false;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (prefix) {
      prefix = false;
      const link = $(`.nav [data-key="${CSS.escape(event.key)}"]`);
      if (link) link.click();
      return;
    }
    if (event.key === "g") {
      prefix = true;
      setTimeout(() => { prefix = false; }, 1200);
    }
    if (event.key === "/") {
      event.preventDefault();
      ($("[data-page-search]") ?? $("#search"))?.focus();
    }
  });
}

// Selection of rows: the bulk bar shows what is chosen and what can be done
function setUpSelection() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form.selectable");
    if (!form || event.target.type !== "checkbox") return;
    const boxes = $$("tbody input[type=checkbox][name=id]", form);
    if (event.target.dataset.all !== undefined) boxes.forEach((box) => { box.checked = event.target.checked; });
    boxes.forEach((box) => box.closest("tr").classList.toggle("is-selected", box.checked));
    const chosen = boxes.filter((box) => box.checked).length;
    const all = $("input[data-all]", form);
    if (all) {
      all.checked = chosen === boxes.length && chosen > 0;
      all.indeterminate = chosen > 0 && chosen < boxes.length;
    }
    const bar = $(".bulk", form);
    bar.hidden = chosen === 0;
    $("[data-chosen]", bar).textContent = `${chosen.toLocaleString("en")} selected`;
  });
}

// Copy buttons
function setUpCopy() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText($(button.dataset.copy).textContent);
    toast("Copied.");
  });
}

function toast(text) {
  const box = document.createElement("div");
  box.className = "toast";
  box.textContent = text;
  $("#toasts").append(box);
  setTimeout(() => box.remove(), 4000);
}

// Charts and graphs are fetched only where a page shows one
async function setUpDrawings(root = document) {
  if ($("[data-chart]", root) || $("[data-graph]", root)) {
    const drawings = await import($("meta[name=drawings]").content);
    drawings.draw(root);
  }
}

// Live: the stream says when something changed; what is shown is then fetched again, in place
function setUpLive() {
  const mark = $("[data-live]");
  if (!mark) return;
  const source = new EventSource(mark.dataset.live);
  const state = (on) => {
    mark.dataset.state = on ? "on" : "off";
    mark.textContent = on ? "Live" : "Not live";
  };
  source.addEventListener("open", () => state(true));
  source.addEventListener("error", () => state(false));
  source.addEventListener("change", () => document.dispatchEvent(new Event("medwarden:changed")));
  addEventListener("pagehide", () => source.close());
  let waiting = false;
  document.addEventListener("medwarden:changed", () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      const part = $("[data-live-part]");
      const busy = part && (part.contains(document.activeElement) && typing(document.activeElement) || $("input[name=id]:checked", part) || $("details.menu[open]", part));
      if (part && !busy && !document.hidden) window.htmx.trigger(part, "refresh");
      else if (part) mark.textContent = "Live, changes waiting";
    }, 400);
  });
}

function markNewRows(part, before) {
  if (!before) return;
  for (const row of $$("tr[data-id]", part)) row.classList.toggle("is-new", !before.has(row.dataset.id));
}

function setUpSwaps() {
  let before = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    const live = event.detail.requestConfig?.triggeringEvent?.type === "refresh";
    before = live ? new Set($$("tr[data-id]", part).map((row) => row.dataset.id)) : null;
  });
  document.addEventListener("htmx:afterSettle", (event) => {
    const part = document.getElementById(event.detail.target.id) ?? event.detail.target;
    markNewRows(part, before);
    setUpDrawings(part);
  });
  document.addEventListener("htmx:responseError", (event) => {
    toast(event.detail.xhr.status === 403 ? "Your role does not include this." : "The server could not answer. Nothing was changed.");
  });
  document.addEventListener("htmx:sendError", () => toast("The server cannot be reached. What is shown may be old."));
}

// Column choice and other forms that apply at once
function setUpInstantForms() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest?.("form[data-instant]");
    if (form) form.requestSubmit();
  });
}

// Work that takes a while says so at the button that began it; an answer that is a file leaves the page as it is
function setUpWaiting() {
  document.addEventListener("submit", (event) => {
    const { submitter, target } = event;
    if (!submitter || target.getAttribute("method") !== "post" || target.dataset.download !== undefined || target.dataset.instant !== undefined) return;
    setTimeout(() => {
      if (event.defaultPrevented) return;
      submitter.setAttribute("aria-busy", "true");
      setTimeout(() => submitter.hasAttribute("aria-busy") && toast("Still working…"), 4000);
    });
  });
  addEventListener("pageshow", () => $$(".button[aria-busy]").forEach((button) => button.removeAttribute("aria-busy")));
}

// What was typed stays typed where the server refuses it: the page that says why gets the words back once, and
// says it in the form itself
const TYPED = "typed";
const WORDS = "input:not([type=hidden], [type=password], [type=file]), textarea, select";
const actionOf = (form) => new URL(form.getAttribute("action") || "", location).href; // a field may be named "action"
const formsLike = (action) => $$("form[method=post]").filter((form) => actionOf(form) === action);
function setUpTypedWords() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.getAttribute("method") !== "post" || form.dataset.instant !== undefined) return;
    const words = $$(WORDS, form).filter((field) => field.name).map((field) => [field.name, field.value, field.checked]);
    sessionStorage.setItem(TYPED, JSON.stringify({ action: actionOf(form), place: formsLike(actionOf(form)).indexOf(form), words }));
  });
  const typed = JSON.parse(sessionStorage.getItem(TYPED));
  sessionStorage.removeItem(TYPED);
  const why = $("[data-refused]");
  const form = typed && why && formsLike(typed.action)[typed.place];
  if (!form) return;
  for (const [name, value, checked] of typed.words) {
    for (const field of $$(WORDS, form).filter((one) => one.name === name)) {
      if (field.type !== "radio" && field.type !== "checkbox") field.value ||= value;
      else if (field.value === value) field.checked = checked;
    }
  }
  const around = form.closest("details");
  if (around) around.open = true;
  const bulk = $(".bulk", form);
  if (bulk) bulk.before(why);
  else form.prepend(why);
  why.tabIndex = -1;
  why.focus();
}

showTab();
setUpTypedWords();
setUpWaiting();
setUpDrawer();
setUpMenus();
setUpDialogs();
setUpPalette();
setUpKeys();
setUpSelection();
setUpCopy();
setUpInstantForms();
setUpSwaps();
setUpLive();
setUpDrawings();
