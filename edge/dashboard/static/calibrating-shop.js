// The steps that concern the shop as a whole: floor, fixtures, what stands on them, zones, saving.
import { complain, html, icon, look, nothing, render, svg, t } from "./core.js";
import { api, choice, light, numberField, plan, points, say } from "./calibrating-parts.js";

export function shopStep(wizard, kind) {
  return { floor: floorStep, fixtures: fixturesStep, facings: facingsStep, zones: zonesStep, save: saveStep }[kind](wizard);
}
const head = (name) => html`<header><h2>${t(`calibrating.step_${name}`)}</h2><p>${t(`calibrating.${name}_text`)}</p></header>`;
const onButton = (wizard) => html`<button type="button" class="button primary" data-act="on" @click=${() => wizard.goOn()}>${t("calibrating.go_on")}${icon("next")}</button>`;

// ---------- polygons by handles

/** Corners that are dragged; a tap between two corners adds one. */
function handles(polygon, key, held) {
  return polygon.map(([x, y], place) => svg`<circle class="touch" cx=${x} cy=${-y} r="0.28" @pointerdown=${(e) => held(e, place)}/><circle class="handle" data-handle="${key}-${place}" cx=${x} cy=${-y} r="0.09" @pointerdown=${(e) => held(e, place)}/>`);
}

// ---------- the floor

function floorStep(wizard) {
  const known = wizard.shop.outline;
  const size = { x: 5, y: 4 };
  if (known.length) { size.x = Math.max(...known.map((e) => e[0])); size.y = Math.max(...known.map((e) => e[1])); }
  let outline = known.length ? known.map((each) => [...each]) : null, dragged = null;
  const rectangle = () => [[0, 0], [size.x, 0], [size.x, size.y], [0, size.y]];
  const keep = async () => { await wizard.change("PUT", "/floor", { outline: outline ?? rectangle() }); };
  const resize = (axis) => (value) => { size[axis] = value; outline = rectangle(); wizard.draw(); };
  return {
    draw() {
      const shop = { ...wizard.shop, outline: outline ?? rectangle() };
      const over = handles(shop.outline, "floor", (event, place) => { dragged = place; event.target.setPointerCapture(event.pointerId); });
      const move = (at) => { if (dragged === null) return; outline = shop.outline.map((each, place) => (place === dragged ? at.map((v) => Math.round(v * 20) / 20) : each)); wizard.draw(); };
      return html`${head("floor")}
        <div class="cal-two"><div>${plan(shop, over, { move, up: () => { dragged = null; } })}</div>
        <div class="card stack">${numberField("floor-x", t("calibrating.floor_x"), size.x, "m", resize("x"))}${numberField("floor-y", t("calibrating.floor_y"), size.y, "m", resize("y"))}
          <p class="soft small">${t("calibrating.floor_corners")}</p>
          <button type="button" class="button primary" data-act="keep-floor" @click=${async () => { await keep(); wizard.goOn(); }}>${t("calibrating.keep")}</button></div></div>`;
    },
  };
}

// ---------- fixtures

function fixturesStep(wizard) {
  const shop = () => wizard.shop;
  const fresh = () => ({ name: `fixture-${1 + Math.max(0, ...shop().fixtures.map((e) => Number(/(\d+)$/.exec(e.name)?.[1] ?? 0)))}`, corner_m: [0.5, 0.5], turn_deg: 0, bottom_m: 0.4, size_m: [1.2, 1.1, 0.4], first_marker: 4 * shop().fixtures.length, marker_mm: 60, isNew: true });
  let edited = null;
  const set = (values) => { edited = { ...edited, ...values }; wizard.draw(); };
  const size = (place) => (value) => set({ size_m: edited.size_m.map((each, other) => (other === place ? value : each)) });
  const corner = (place) => (value) => set({ corner_m: edited.corner_m.map((each, other) => (other === place ? value : each)) });
  const keep = async () => {
    const { corner_m, turn_deg, bottom_m, size_m, first_marker, marker_mm } = edited;
    await wizard.change("PUT", `/fixtures/${encodeURIComponent(edited.name)}`, { corner_m, turn_deg, bottom_m, size_m, first_marker, marker_mm: marker_mm ?? 60 });
    edited = null;
    wizard.draw();
  };
  const drawn = (f) => {
    const a = (f.turn_deg * Math.PI) / 180, r = [Math.cos(a), Math.sin(a)], inward = [-r[1], r[0]];
    const [x, y] = f.corner_m, [w, , d] = f.size_m;
    return [[x, y], [x + r[0] * w, y + r[1] * w], [x + r[0] * w + inward[0] * d, y + r[1] * w + inward[1] * d], [x + inward[0] * d, y + inward[1] * d]];
  };
  return {
    draw() {
      const others = { ...shop(), fixtures: shop().fixtures.filter((each) => each.name !== edited?.name) };
      if (!shop().outline.length) return html`${head("fixtures")}${say(t("calibrating.missing_floor_first"), "warn", "wait")}`;
      const mine = edited && drawn(edited);
      const over = mine ? svg`<polygon class="fixture" points=${points(mine)}/><line class="front" x1=${mine[0][0]} y1=${-mine[0][1]} x2=${mine[1][0]} y2=${-mine[1][1]}/>` : nothing;
      return html`${head("fixtures")}<div class="cal-two">
        <div>${plan(others, over, { tap: (at) => edited && set({ corner_m: at.map((v) => Math.round(v * 20) / 20) }) })}
          ${edited ? html`<p class="soft small">${t("calibrating.fixture_tap")}</p>` : nothing}</div>
        <div class="card stack">${edited ? html`<h3>${edited.name}</h3>
          <div class="cal-form">${numberField("width", t("calibrating.width"), edited.size_m[0], "m", size(0))}${numberField("height", t("calibrating.height"), edited.size_m[1], "m", size(1))}
          ${numberField("depth", t("calibrating.depth"), edited.size_m[2], "m", size(2))}${numberField("bottom", t("calibrating.bottom"), edited.bottom_m, "m", (v) => set({ bottom_m: v }))}
          ${numberField("corner-x", t("calibrating.corner_x"), edited.corner_m[0], "m", corner(0))}${numberField("corner-y", t("calibrating.corner_y"), edited.corner_m[1], "m", corner(1))}</div>
          ${choice(t("calibrating.direction"), [[0, "→"], [90, "↑"], [180, "←"], [-90, "↓"]], edited.turn_deg, (turn_deg) => set({ turn_deg }))}
          <p class="soft small">${t("calibrating.direction_text")}</p>
          ${choice(t("calibrating.markers"), [["yes", t("calibrating.with_markers")], ["no", t("calibrating.without_markers")]], edited.first_marker === null ? "no" : "yes", (v) => set({ first_marker: v === "yes" ? 4 * shop().fixtures.length : null }))}
          ${edited.first_marker === null ? nothing : html`<div class="cal-form">${numberField("first-marker", t("calibrating.first_marker"), edited.first_marker, "", (v) => set({ first_marker: Math.round(v) }))}${numberField("marker-mm", t("calibrating.marker_side"), edited.marker_mm, "mm", (v) => set({ marker_mm: v }))}</div>
            <p class="soft small">${t("calibrating.marker_corners", { a: edited.first_marker, b: edited.first_marker + 1, c: edited.first_marker + 2, d: edited.first_marker + 3 })}
            <a href=${api(`/markers.pdf?first=${edited.first_marker}&side_mm=${edited.marker_mm ?? 60}`)} target="_blank" rel="noopener">${t("calibrating.print_markers")}</a></p>`}
          <div class="cal-actions"><button type="button" class="button primary" data-act="keep-fixture" @click=${keep}>${t("calibrating.keep")}</button>
            <button type="button" class="button quiet" @click=${() => { edited = null; wizard.draw(); }}>${t("common.cancel")}</button></div>`
          : html`<ul class="list">${shop().fixtures.map((each) => html`<li><div class="item"><span class="grow"><b>${each.name}</b><br><span class="soft small">${each.size_m.map((v) => v.toFixed(2)).join(" × ")} m</span></span>
              <button type="button" class="button" @click=${() => { edited = { ...each }; wizard.draw(); }}>${t("calibrating.change")}</button>
              <button type="button" class="button quiet icon-only" aria-label=${t("calibrating.remove", { name: each.name })} @click=${() => wizard.change("DELETE", `/fixtures/${encodeURIComponent(each.name)}`).catch(() => {})}>${icon("cross")}</button></div></li>`)}</ul>
          <div class="cal-actions"><button type="button" class="button ${shop().fixtures.length ? "" : "primary"}" data-act="add-fixture" @click=${() => { edited = fresh(); wizard.draw(); }}>${t("calibrating.add_fixture")}</button>
            ${shop().fixtures.length ? onButton(wizard) : nothing}</div>`}</div></div>`;
    },
  };
}

// ---------- zones

function zonesStep(wizard) {
  let zones = wizard.shop.zones.map((each) => ({ ...each, polygon: each.polygon.map((p) => [...p]) }));
  let held = null, chosen = zones.length ? 0 : null;
  const keep = () => wizard.change("PUT", "/zones", { zones }).catch(() => {});
  const add = (kind) => {
    const xs = wizard.shop.outline.map((e) => e[0]), ys = wizard.shop.outline.map((e) => e[1]);
    const x = kind === "exit" ? Math.max(...xs) - 1.6 : kind === "entry" ? Math.min(...xs) + 0.2 : (Math.min(...xs) + Math.max(...xs)) / 2 - 0.7;
    const y = kind === "no_go" ? (Math.min(...ys) + Math.max(...ys)) / 2 : Math.min(...ys);
    const count = zones.filter((each) => each.kind === kind).length;
    zones = [...zones, { name: count ? `${kind}-${count + 1}` : kind, kind, polygon: [[x, y], [x + 1.4, y], [x + 1.4, y + 0.95], [x, y + 0.95]].map((p) => p.map((v) => Math.round(v * 100) / 100)) }];
    chosen = zones.length - 1;
    keep();
  };
  return {
    draw() {
      if (!wizard.shop.outline.length) return html`${head("zones")}${say(t("calibrating.missing_floor_first"), "warn", "wait")}`;
      const grab = (zone, corner) => (event) => { held = { zone, corner, from: null }; chosen = zone; event.target.setPointerCapture(event.pointerId); event.stopPropagation(); wizard.draw(); };
      const over = zones.map((each, place) => svg`<polygon class="zone ${each.kind}" data-zone=${each.name} points=${points(each.polygon)} @pointerdown=${grab(place, null)}/><text font-size="0.18" x=${each.polygon.reduce((s, p) => s + p[0], 0) / each.polygon.length} y=${-each.polygon.reduce((s, p) => s + p[1], 0) / each.polygon.length}>${t(`calibrating.zone_${each.kind}`)}</text>${place === chosen ? handles(each.polygon, each.name, (event, corner) => grab(place, corner)(event)) : nothing}`);
      const move = (at) => {
        if (!held) return;
        const polygon = zones[held.zone].polygon;
        if (held.corner !== null) polygon[held.corner] = at;
        else {
          held.from ??= at;
          zones[held.zone].polygon = polygon.map(([x, y]) => [x + at[0] - held.from[0], y + at[1] - held.from[1]].map((v) => Math.round(v * 100) / 100));
          held.from = at;
        }
        wizard.draw();
      };
      return html`${head("zones")}<div class="cal-two"><div>${plan(wizard.shop, over, { move, up: () => { if (held) { held = null; keep(); } } })}</div>
        <div class="card stack"><div class="cal-actions">${["entry", "exit", "no_go"].map((kind) => html`<button type="button" class="button" data-act="add-${kind}" @click=${() => add(kind)}>${t(`calibrating.add_${kind}`)}</button>`)}</div>
          <ul class="list">${zones.map((each, place) => html`<li><div class="item"><span class="grow">${t(`calibrating.zone_${each.kind}`)} <span class="soft small">${each.name}</span></span>
            <button type="button" class="button quiet icon-only" aria-label=${t("calibrating.remove", { name: each.name })} @click=${() => { zones = zones.filter((_, other) => other !== place); chosen = null; keep(); }}>${icon("cross")}</button></div></li>`)}</ul>
          <p class="soft small">${t("calibrating.zones_drag")}</p>${zones.some((each) => each.kind === "entry") ? onButton(wizard) : nothing}</div></div>`;
    },
  };
}

// ---------- what stands where

const SIDES = ["width", "depth", "height"].map((side) => `piece_${side}_m`);
const MAY_BE_EMPTY = ["columns", ...SIDES];

function facingsStep(wizard) {
  let fixture = wizard.shop.fronts.find((each) => each.cameras.length && !each.facings.length)?.fixture ?? wizard.shop.fronts.find((each) => each.cameras.length)?.fixture ?? null;
  let held = null, grid = null, products = null, last = null;
  const front = () => wizard.shop.fronts.find((each) => each.fixture === fixture);
  const size = () => wizard.shop.fixtures.find((each) => each.name === fixture).size_m;
  const even = (length, parts) => Array.from({ length: parts + 1 }, (_, each) => Math.round((length * each * 1000) / parts) / 1000);
  const begin = () => {
    const known = front()?.grid;
    grid = known ? structuredClone(known) : null;
  };
  const fresh = (rows, columns) => ({ boards_m: even(size()[1], rows), columns_m: Array.from({ length: rows }, () => even(size()[0], columns)), skus: [] });
  const keep = () => wizard.change("PUT", `/fronts/${encodeURIComponent(fixture)}`, grid).catch(() => {});
  const rows = (count) => {
    const old = grid;
    grid = fresh(count, old.columns_m[0].length - 1);
    grid.columns_m = grid.columns_m.map((each, row) => old.columns_m[row] ?? each);
    grid.skus = old.skus.filter((each) => each.row < count);
    keep();
  };
  const columns = (row, count) => {
    grid.columns_m[row] = even(size()[0], count);
    grid.skus = grid.skus.filter((each) => each.row !== row || each.column < count);
    keep();
  };
  const skuAt = (row, column) => grid.skus.find((each) => each.row === row && each.column === column);
  const put = (row, column, value) => {
    grid.skus = grid.skus.filter((each) => each.row !== row || each.column !== column);
    if (value) grid.skus.push({ row, column, ...value });
    keep();
  };
  /** What was known of a product before it is put somewhere: how it stood on this front in the planogram in force, at the place nearest to there; its size as said last, or from anywhere in the shop. */
  const known = (sku, row, column) => {
    const middle = (edges, part) => (edges[part] + edges[part + 1]) / 2;
    const u = middle(grid.columns_m[row], column), v = middle(grid.boards_m, row);
    const away = (each) => Math.hypot(each.u_m + each.width_m / 2 - u, each.v_m + each.height_m / 2 - v);
    const [stood] = front().before.filter((each) => each.sku === sku).sort((one, other) => away(one) - away(other));
    const everywhere = [...[...grid.skus].reverse(), ...(stood ? [stood] : []), ...wizard.shop.fronts.flatMap((each) => [...each.facings, ...each.before])];
    const sized = everywhere.find((each) => each.sku === sku && each[SIDES[0]]);
    const take = (keys, from) => Object.fromEntries(keys.map((key) => [key, from?.[key] ?? null]));
    return { ...take(["capacity", "stock", "columns"], stood), ...take(SIDES, sized) };
  };
  async function choose(row, column) {
    try { products ??= await look(api("/products")); } catch (error) { complain(error); return; }
    const before = skuAt(row, column) ?? { sku: null, capacity: last?.capacity ?? 6, stock: last?.stock ?? 6 };
    const said = await askProduct(products, before, (sku) => known(sku, row, column));
    if (said === null) return;
    if (said) last = said;
    put(row, column, said);
  }
  begin();
  return {
    draw() {
      const able = wizard.shop.fronts.filter((each) => each.cameras.length);
      if (!able.length) return html`${head("facings")}${say(t("calibrating.facings_first"), "warn", "wait")}`;
      const pick = choice(t("calibrating.fixture"), able.map((each) => [each.fixture, each.fixture]), fixture, (name) => { fixture = name; begin(); wizard.draw(); });
      if (!grid) {
        return html`${head("facings")}${pick}<div class="card stack">
          ${front().facings.length ? html`<p>${t("calibrating.facings_kept", { n: front().facings.length })}</p>` : nothing}
          <p>${t("calibrating.split_text")}</p><div class="cal-actions">${[2, 3, 4, 5].map((count) => html`<button type="button" class="button" data-rows=${count} @click=${() => { grid = fresh(count, 3); keep(); }}>${t("calibrating.rows_n", { n: count })}</button>`)}</div>
          ${front().facings.length ? onButton(wizard) : nothing}</div>`;
      }
      const [width, height] = size();
      const at = (event, drawing) => { const p = drawing.getBoundingClientRect(); return [((event.clientX - p.left) / p.width) * width, height - ((event.clientY - p.top) / p.height) * height]; };
      const between = (value, edges, place) => Math.round(Math.min(Math.max(value, (edges[place - 1] ?? 0) + 0.03), (edges[place + 1] ?? Infinity) - 0.03) * 1000) / 1000;
      const move = (event) => {
        if (!held) return;
        const [u, v] = at(event, event.currentTarget);
        if (held.board !== undefined) grid.boards_m[held.board] = Math.min(between(v, grid.boards_m, held.board), height);
        else grid.columns_m[held.row][held.edge] = Math.min(between(u, grid.columns_m[held.row], held.edge), width);
        wizard.draw();
      };
      const grab = (what) => (event) => { held = what; event.target.setPointerCapture(event.pointerId); };
      const cells = [];
      grid.columns_m.forEach((edges, row) => edges.slice(0, -1).forEach((left, column) => {
        const own = skuAt(row, column), y = height - grid.boards_m[row + 1], h = grid.boards_m[row + 1] - grid.boards_m[row], w = edges[column + 1] - left;
        cells.push(svg`<rect class="cell ${own ? "full" : ""}" data-cell="${row}-${column}" tabindex="0" role="button" aria-label="${t("calibrating.cell", { row: row + 1, column: column + 1 })}: ${own?.sku ?? t("calibrating.cell_empty")}" x=${left} y=${y} width=${w} height=${h} @click=${() => choose(row, column)} @keydown=${(e) => e.key === "Enter" && choose(row, column)}/>${own ? svg`<text class="cal-label" font-size=${Math.min(0.05, w / 9)} x=${left + w / 2} y=${y + h / 2}>${own.sku}</text><text class="cal-label" font-size="0.035" x=${left + w / 2} y=${y + h / 2 + 0.06}>${own.stock} / ${own.capacity}</text>` : nothing}`);
      }));
      const boards = grid.boards_m.slice(1).map((v, place) => svg`<line class="edge" x1="0" x2=${width} y1=${height - v} y2=${height - v}/><line class="grip" data-board=${place + 1} x1="0" x2=${width} y1=${height - v} y2=${height - v} @pointerdown=${grab({ board: place + 1 })}/>`);
      const edges = grid.columns_m.flatMap((each, row) => each.slice(1, -1).map((u, place) => svg`<line class="edge" x1=${u} x2=${u} y1=${height - grid.boards_m[row + 1]} y2=${height - grid.boards_m[row]}/><line class="grip" data-edge="${row}-${place + 1}" x1=${u} x2=${u} y1=${height - grid.boards_m[row + 1] + 0.04} y2=${height - grid.boards_m[row] - 0.04} @pointerdown=${grab({ row, edge: place + 1 })}/>`));
      return html`${head("facings")}${pick}<div class="cal-two"><div class="cal-front"><img src=${api(`/fronts/${encodeURIComponent(fixture)}/picture.jpg`)} alt=${t("calibrating.front_of", { name: fixture })} width=${Math.round(width * 600)} height=${Math.round(height * 600)} draggable="false">
          <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" @pointermove=${move} @pointerup=${() => { if (held) { held = null; keep(); } }}>${cells}${boards}${edges}</svg></div>
        <div class="card stack"><p>${t("calibrating.facings_drag")}</p>
          ${numberField("rows", t("calibrating.rows"), grid.boards_m.length - 1, "", (v) => rows(Math.min(Math.max(1, Math.round(v)), 12)))}
          ${grid.columns_m.map((each, row) => html`${numberField(`columns-${row}`, t("calibrating.columns_of", { row: row + 1 }), each.length - 1, "", (v) => columns(row, Math.min(Math.max(1, Math.round(v)), 16)))}`)}
          <p class="soft small">${t("calibrating.cells_full", { full: grid.skus.length, all: grid.columns_m.reduce((sum, each) => sum + each.length - 1, 0) })}</p>
          ${grid.skus.length ? onButton(wizard) : nothing}</div></div>`;
    },
  };
}

/** Ask which product stands somewhere and how: a cell's values, undefined for none, null when left. `known` tells what to offer for a product. */
function askProduct(products, before, known) {
  const dialog = document.createElement("dialog");
  document.body.append(dialog);
  const said = { columns: null, ...Object.fromEntries(SIDES.map((side) => [side, null])), ...before };
  const typed = new Set();
  let words = "";
  return new Promise((resolve) => {
    const close = (result) => { dialog.close(); resolve(result); };
    const count = (key) => (value) => {
      said[key] = value === null ? null : Math.max(key === "stock" ? 0 : 1, Math.round(value));
      if (key === "capacity") { said.stock = Math.min(said.stock, said.capacity); said.columns &&= Math.min(said.columns, said.capacity); }
      else said.capacity = Math.max(said.capacity, said[key] ?? 0);
      typed.add(key).add("capacity");
      draw();
    };
    const measure = (side) => (cm) => { said[side] = Math.round((cm ?? 0) * 10) / 1000 || null; typed.add(side); draw(); };
    const choose = (sku) => {
      const other = sku !== said.sku;
      if (said.sku && other) { typed.clear(); for (const key of MAY_BE_EMPTY) said[key] = null; }
      const offered = known(sku);
      for (const keys of [["capacity", "stock"], ["columns"], SIDES]) {
        const open = keys.every((key) => !typed.has(key)) && (other || keys.every((key) => said[key] === null));
        if (open && offered[keys[0]] !== null) for (const key of keys) said[key] = offered[key];
      }
      if (said.columns > said.capacity) said.columns = null;
      said.sku = sku;
      draw();
    };
    const draw = () => {
      const sized = SIDES.filter((side) => said[side]).length, incomplete = sized > 0 && sized < SIDES.length;
      const found = products.filter((each) => words.toLowerCase().split(/\s+/).every((word) => `${each.name} ${each.sku} ${each.category}`.toLowerCase().includes(word)));
      render(html`<form method="dialog"><h2 id="product-title">${t("calibrating.which_product")}</h2>
        <input class="search" type="search" placeholder=${t("calibrating.search")} aria-label=${t("calibrating.search")} @input=${(e) => { words = e.target.value; draw(); }}>
        <div class="cal-products">${found.map((each) => html`<button type="button" class="cal-product" data-sku=${each.sku} aria-pressed=${String(each.sku === said.sku)} @click=${() => choose(each.sku)}>${each.photo ? html`<img src=${each.photo} alt="" loading="lazy">` : nothing}<span>${each.name}</span></button>`)}</div>
        <div class="cal-form">${numberField("capacity", t("calibrating.capacity"), said.capacity, "", count("capacity"))}${numberField("stock", t("calibrating.stock"), said.stock, "", count("stock"))}</div>
        <p class="soft small">${t("calibrating.piece_text")}</p>
        <div class="cal-form">${numberField("columns", t("calibrating.side_by_side"), said.columns, "", count("columns"), true)}${SIDES.map((side) => numberField(side.replace(/_/g, "-").slice(0, -2), t(`calibrating.${side.slice(0, -2)}`), said[side] && said[side] * 100, "cm", measure(side), true))}</div>
        <div class="cal-last">${incomplete ? say(t("calibrating.size_incomplete"), "warn", "alert") : nothing}
        <div class="actions"><button type="button" class="button quiet" @click=${() => close(null)}>${t("common.cancel")}</button>
          <button type="button" class="button" @click=${() => close(undefined)}>${t("calibrating.leave_empty")}</button>
          <button type="button" class="button primary" data-act="put" ?disabled=${!said.sku || incomplete} @click=${() => close(Object.fromEntries(["sku", "capacity", "stock", ...MAY_BE_EMPTY].map((key) => [key, said[key]])))}>${t("calibrating.put_here")}</button></div></div></form>`, dialog);
    };
    dialog.addEventListener("close", () => { dialog.remove(); resolve(null); });
    dialog.setAttribute("aria-labelledby", "product-title");
    draw();
    dialog.showModal();
  });
}

// ---------- checking and saving

function saveStep(wizard) {
  let check = null, saved = null, saving = false;
  const load = async () => { try { check = await look(api("/check")); } catch (error) { complain(error); } wizard.draw(); };
  load();
  const save = async () => {
    saving = true;
    try {
      const answer = await wizard.change("POST", "/save");
      saved = answer.waiting;
      await wizard.refresh();
      await load();
    } catch { await load(); } finally { saving = false; wizard.draw(); }
  };
  const again = async () => { if (window.confirm(t("calibrating.begin_again_sure"))) { await wizard.change("POST", "/begin-again"); wizard.go(wizard.shop.next); } };
  const to = (about) => (about.startsWith("camera/") ? `${about}/place` : about);
  const refer = async (name) => {
    if (!window.confirm(t("calibrating.reference_sure", { name }))) return;
    await wizard.change("POST", `/cameras/${encodeURIComponent(name)}/reference`);
    await wizard.refresh();
  };
  const lights = { green: ["good", "check"], amber: ["warn", "alert"], red: ["bad", "cross"] };
  const watched = () => {
    const cameras = wizard.shop.cameras.filter((each) => each.placed);
    if (!cameras.length || wizard.shop.changed) return nothing;
    return html`<div class="card stack"><h3>${t("calibrating.watched")}</h3><p class="soft small">${t("calibrating.watched_text")}</p>
      <ul class="list">${cameras.map((each) => { const [kind, sign] = lights[each.place] ?? ["", "wait"]; return html`<li><div class="item" data-watched=${each.name}><span class="grow">${each.name} <span class="chip ${kind}">${icon(sign)}${t(`calibrating.watched_${each.place}`)}</span>${each.place_reason && each.place !== "green" ? html`<br><span class="soft small">${each.place_reason}</span>` : nothing}</span>
        <button type="button" class="button" data-act="reference" @click=${() => refer(each.name)}>${t("calibrating.take_reference")}</button></div></li>`; })}</ul></div>`;
  };
  return {
    draw() {
      if (!check) return head("save");
      const worst = check.findings.some((each) => each.light === "red") ? "red" : check.findings.some((each) => each.light === "amber") ? "amber" : "green";
      return html`${head("save")}
        ${saved ? html`<div data-saved="yes">${say(saved.length ? t("calibrating.saved_waiting") : t("calibrating.saved"), "good", "check")}${saved.map((each) => html`<p class="soft">${each}</p>`)}</div>` : nothing}
        <div class="card stack"><header><h3 class="grow">${t("calibrating.findings")}</h3>${light(worst)}</header>
        <ul class="cal-findings">${check.findings.map((each) => html`<li class=${each.light}>${icon({ red: "cross", amber: "alert", green: "check" }[each.light])}<span>${each.text}</span>
          ${each.light === "green" ? nothing : html`<button type="button" class="button" @click=${() => wizard.go(to(each.about))}>${t("calibrating.put_right")}</button>`}</li>`)}</ul>
        <div class="cal-actions"><button type="button" class="button primary" data-act="save" ?disabled=${!check.may_save || saving || !wizard.shop.changed} @click=${save}>${saving ? t("calibrating.saving") : t("calibrating.save")}</button>
          <button type="button" class="button quiet" @click=${again}>${t("calibrating.begin_again")}</button></div>
        ${wizard.shop.changed ? nothing : html`<p class="soft">${t("calibrating.nothing_changed")}</p>`}</div>${watched()}`;
    },
  };
}
