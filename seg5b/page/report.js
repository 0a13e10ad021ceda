"use strict";
// Draws every figure from its data, lays its panels out for the width at hand, and answers pointer, keyboard and touch.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const theme = read("theme");
  const tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");

  const words = (value) =>
    typeof value === "object" ? Object.entries(value).map(([key, text]) => [key, String(text)]) : [["", String(value)]];

  function showTip(value, x, y) {
    tip.replaceChildren(
      ...words(value).map(([key, text]) => {
        const row = document.createElement("div");
        row.append(Object.assign(document.createElement("span"), { textContent: key }), ` ${text}`);
        return row;
      }),
    );
    tip.hidden = false;
    const wide = document.documentElement.clientWidth;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(x + 14, wide - box.width - 4))}px`;
    tip.style.top = `${y + 18 + box.height > window.innerHeight ? y - box.height - 12 : y + 18}px`;
  }

  const hideTip = () => {
    tip.hidden = true;
  };

  const pointed = (handler, event, item, value) =>
    value === null || value === undefined || value === "" ? hideTip() : showTip(value, event.clientX, event.clientY);

  // Panels beside one another as far as they fit; a panel's frame takes the room that its axis needs.
  const FRAME = 62;
  const GAP = 26;

  function sized(part, width) {
    const sizedPart = { ...part, width };
    if (part.height && part.height.ratio) sizedPart.height = Math.round(width * part.height.ratio);
    const scale = part.projection && part.projection.scale;
    if (scale) {
      const translate = [width / 2, sizedPart.height / 2];
      sizedPart.projection = { ...part.projection, scale: width * scale.ratio, translate };
    }
    return sizedPart;
  }

  function laidOut(data, room) {
    const spec = { ...data.spec };
    const parts = spec.concat || null;
    if (!spec.facet && !parts) {
      return { ...spec, width: room, autosize: { type: "fit-x", contains: "padding" } };
    }
    const field = spec.facet && spec.facet.field;
    const place = data.columns.indexOf(field);
    const number = parts ? parts.length : Math.max(1, new Set(data.rows.map((row) => row[place])).size);
    const first = parts ? 8 : Math.max(FRAME, yNames(spec.spec, data));
    const fitting = Math.floor((room + GAP - first) / (data.panel_px + GAP));
    spec.columns = Math.max(1, Math.min(spec.columns, number, fitting));
    // Where a scenario has several panels, each has a row of its own if that fits.
    const each = number / new Set(data.rows.map((row) => row[data.columns.indexOf("scenario")])).size;
    if (Number.isInteger(each) && each > 1 && each <= fitting) spec.columns = each;
    const width = Math.floor((room - first - GAP * (spec.columns - 1)) / spec.columns) - 4;
    if (parts) spec.concat = parts.map((part) => sized(part, width));
    else spec.spec = sized(spec.spec, width);
    return spec;
  }

  // Pixels for the names on an upright axis of names.
  function yNames(spec, data) {
    const encoding = spec && (spec.encoding || spec.layer[spec.layer.length - 1].encoding);
    if (!encoding || !encoding.y || encoding.y.type !== "nominal") return 0;
    const place = data.columns.indexOf(encoding.y.field);
    const longest = Math.max(4, ...data.rows.map((row) => String(row[place]).length));
    return Math.min(20 + longest * 7, 24 + ((encoding.y.axis && encoding.y.axis.labelLimit) || 180));
  }

  const records = (data) =>
    data.rows.map((row) => Object.fromEntries(data.columns.map((name, place) => [name, row[place]])));

  async function draw(figure) {
    const { box, data } = figure;
    const room = box.clientWidth;
    if (room < 50 || Math.abs(room - (figure.room || 0)) < 12) return;
    figure.room = room;
    const spec = laidOut(data, room);
    spec.data = { values: records(data) };
    if (JSON.stringify(data.spec).includes('"name":"land"')) {
      spec.datasets = { land: [{ type: "Feature", geometry: read("land"), properties: {} }] };
    }
    if (figure.view) figure.view.finalize();
    const drawn = await vegaEmbed(box.firstElementChild, spec, {
      mode: "vega-lite", renderer: "svg", actions: false, config: theme, tooltip: pointed, ast: false, defaultStyle: false,
    });
    figure.view = drawn.view;
    figure.at = -1;
    box.dataset.drawn = "yes";
  }

  // Marks that say something of themselves, in their order in the picture.
  const marksOf = (figure) =>
    [...figure.box.querySelectorAll("svg [class*='mark-'] > *")].filter(
      (node) => node.__data__ && node.__data__.tooltip && typeof node.__data__.tooltip === "object",
    );

  let moved = null; // the figure that the keyboard is in

  function moveTo(figure, place) {
    const marks = marksOf(figure);
    for (const node of figure.box.querySelectorAll(".here")) node.classList.remove("here");
    if (!marks.length) return;
    figure.at = Math.max(0, Math.min(place, marks.length - 1));
    const node = marks[figure.at];
    node.classList.add("here");
    node.scrollIntoView({ block: "nearest" });
    moved = figure;
    const value = node.__data__.tooltip;
    showAt(node);
    figure.told.textContent =
      `${figure.at + 1} of ${marks.length}: ` + words(value).map(([key, text]) => `${key} ${text}`).join(", ");
  }

  function showAt(node) {
    const box = node.getBoundingClientRect();
    showTip(node.__data__.tooltip, box.left + box.width / 2, box.top + box.height / 2);
  }

  // The words of a mark go with it.
  function scrolled() {
    const node = moved && moved.box.querySelector(".here");
    if (node && !tip.hidden) showAt(node);
    else hideTip();
  }

  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: 10, PageUp: -10 };

  function pressed(figure, event) {
    if (event.key === "Escape") {
      hideTip();
    } else if (event.key === "Home" || event.key === "End") {
      moveTo(figure, event.key === "Home" ? 0 : Infinity);
    } else if (event.key in STEPS) {
      moveTo(figure, figure.at + STEPS[event.key]);
    } else {
      return;
    }
    event.preventDefault();
  }

  function left(figure) {
    hideTip();
    moved = null;
    for (const node of figure.box.querySelectorAll(".here")) node.classList.remove("here");
    figure.told.textContent = " ";
  }

  const shown = (value) => (value === null || value === "" ? "–" : typeof value === "number" ? String(value) : value);

  function fillTable(figure, place) {
    if (place.querySelector("table")) return;
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const name of figure.data.columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = name.replaceAll("_", " ");
      head.append(cell);
    }
    const body = table.createTBody();
    for (const row of figure.data.rows) {
      const line = body.insertRow();
      for (const value of row) {
        const cell = line.insertCell();
        cell.textContent = shown(value);
        if (typeof value === "number") cell.className = "right";
      }
    }
    place.replaceChildren(table);
  }

  const quoted = (value) => {
    const text = value === null ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  const csvOf = (data) => [data.columns, ...data.rows].map((row) => row.map(quoted).join(",") + "\r\n").join("");

  function prepared(card) {
    const figure = {
      box: card.querySelector(".chart"), told: card.querySelector(".told"), data: read(`data-${card.id}`), at: -1,
    };
    figure.box.addEventListener("keydown", (event) => pressed(figure, event));
    figure.box.addEventListener("blur", () => left(figure));
    const numbers = card.querySelector("details");
    numbers.addEventListener("toggle", () => fillTable(figure, numbers.querySelector(".rows")));
    const link = numbers.querySelector(".csv");
    link.href = `data:text/csv;charset=utf-8,${encodeURIComponent(csvOf(figure.data))}`;
    return figure;
  }

  async function start() {
    const figures = [...document.querySelectorAll("figure.card")].map(prepared);
    for (const figure of figures) await draw(figure);
    document.documentElement.dataset.ready = "yes";
    let waiting = 0;
    new ResizeObserver(() => {
      clearTimeout(waiting);
      waiting = setTimeout(async () => {
        if (matchMedia("print").matches) return; // on paper what is drawn is scaled
        for (const figure of figures) await draw(figure);
      }, 150);
    }).observe(document.querySelector("main"));
  }

  document.addEventListener("scroll", scrolled, { passive: true });
  start();
})();
