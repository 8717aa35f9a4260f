// The steps of one camera: its lens, from a board that is walked about, and its place.
import { ask, complain, html, icon, look, nothing, number, percent, svg, t } from "./core.js";
import { api, askNumber, choice, cross, light, LivePicture, loupe, ofCamera, pixelAt, plan, say } from "./calibrating-parts.js";

const POLL_MS = 350;

export function cameraStep(wizard, name, what) {
  const step = { camera: null, picture: null, timer: 0, gone: false };
  step.load = async () => {
    clearTimeout(step.timer);
    if (step.gone) return;
    try {
      const before = step.camera;
      step.camera = await look(ofCamera(name));
      if (before && (before.solving !== step.camera.solving || before.looking !== step.camera.looking)) wizard.refresh();
      wizard.draw();
    } catch (error) {
      if (!step.camera) complain(error);
    }
    if (!step.gone) step.timer = setTimeout(step.load, step.camera?.looking || step.camera?.solving ? POLL_MS : 2000);
  };
  step.act = async (method, path, body) => {
    try {
      step.camera = await ask(method, ofCamera(name, path), body);
      await wizard.refresh();
      step.load();
      return true;
    } catch (error) {
      step.said = error.message;
      wizard.draw();
      return false;
    }
  };
  step.show = (still) => {
    if (step.picture?.still !== still) {
      step.picture?.stop();
      step.picture = new LivePicture(name, { still });
    }
    // Its place is kept while it loads, so that nothing moves under a finger.
    if (step.camera.size_px) [step.picture.image.width, step.picture.image.height] = step.camera.size_px;
    return step.picture;
  };
  step.leave = () => {
    step.gone = true;
    clearTimeout(step.timer);
    step.picture?.stop();
    if (step.camera?.looking) ask("POST", ofCamera(name, "/look"), { wanted: null }).catch(() => {});
  };
  const draw = what === "lens" ? lensStep(wizard, name, step) : placeStep(wizard, name, step);
  step.draw = () => {
    const title = html`<header><h2>${name}: ${t(`calibrating.step_${what}`)}</h2><p>${t(`calibrating.${what}_text`)}</p></header>`;
    if (!step.camera) return title;
    return html`${title}${step.camera.role ? draw() : roleChoice(step)}`;
  };
  step.load();
  return step;
}

const roleChoice = (step) => html`<div class="card stack"><h3>${t("calibrating.which_role")}</h3><div class="cal-actions">
  <button type="button" class="button" data-role="shelf" @click=${() => step.act("PUT", "/role", { role: "shelf" })}>${icon("stock")}${t("calibrating.role_shelf")}</button>
  <button type="button" class="button" data-role="overhead" @click=${() => step.act("PUT", "/role", { role: "overhead" })}>${icon("live")}${t("calibrating.role_overhead")}</button></div></div>`;

const goOn = (wizard) => html`<button type="button" class="button primary" data-act="on" @click=${() => wizard.goOn()}>${t("calibrating.go_on")}${icon("next")}</button>`;
const trouble = (step) => (step.said || step.camera.trouble ? say(step.said || step.camera.trouble, "bad", "alert") : nothing);
const drawing = (size, content, acts = {}) => html`<svg viewBox="0 0 ${size[0]} ${size[1]}" @pointerdown=${acts.down} @pointermove=${acts.move} @pointerup=${acts.up}>${content}</svg>`;

// ---------- the lens

const BOARDS = [["A4", "A4"], ["A3", "A3"], ["chessboard", "9 × 6"]];

function lensStep(wizard, name, step) {
  const boardOf = () => (step.camera.board.kind === "chessboard" ? "chessboard" : step.camera.board.paper);
  const setBoard = async (value) => {
    if (value !== "chessboard") { step.act("PUT", "/board", { kind: "charuco", paper: value }); return; }
    const side = await askNumber(t("calibrating.square_side"), 25, "mm");
    if (side) step.act("PUT", "/board", { kind: "chessboard", squares_x: 9, squares_y: 6, square_mm: side });
  };
  const upload = async (event) => {
    const form = new FormData();
    for (const file of event.target.files) form.append("files", file);
    event.target.value = "";
    step.said = "";
    try {
      const answer = await fetch(ofCamera(name, "/upload"), { method: "POST", body: form });
      if (!answer.ok) throw new Error((await answer.json()).error);
      step.camera = await answer.json();
    } catch (error) { step.said = error.message; }
    step.load();
  };
  return () => {
    const camera = step.camera, live = camera.lens_live, size = camera.size_px ?? [16, 9];
    const picture = step.show(false);
    const dots = live ? live.corners.map(([x, y]) => svg`<circle class="corner ${live.kept ? "" : "missed"}" cx=${x} cy=${y} r=${size[0] / 300}/>`) : nothing;
    const words = camera.solving ? say(t("calibrating.solving"), "", "wait")
      : live ? (live.kept ? say(t("calibrating.kept"), "good", "check") : live.reason ? say(live.reason, "warn", "alert") : say(t("calibrating.looking")))
      : camera.lens ? nothing : camera.lens_before ? say(t("calibrating.lens_before"), "good", "check") : say(t("calibrating.lens_begin"));
    return html`<div class="cal-two"><div class="stack"><div class="cal-picture">${picture.image}${drawing(size, dots)}</div>
        ${words}${trouble(step)}
        <div class="cal-actions">${camera.looking === "lens"
          ? html`<button type="button" class="button" data-act="stop" @click=${() => step.act("POST", "/look", { wanted: null })}>${t("calibrating.stop")}</button>`
          : html`<button type="button" class="button ${camera.lens?.light === "green" ? "" : "primary"}" data-act="start" @click=${() => { step.said = ""; step.act("POST", "/look", { wanted: "lens" }); }}>${camera.coverage.views ? t("calibrating.look_on") : t("calibrating.start")}</button>`}
          <button type="button" class="button" data-act="solve" ?disabled=${camera.coverage.views < 5 || camera.solving} @click=${() => { step.said = ""; step.act("POST", "/lens"); }}>${t("calibrating.solve")}</button>
          <label class="button"><input type="file" hidden multiple accept="image/*,video/*" @change=${upload}>${t("calibrating.upload")}</label>
          <button type="button" class="button quiet" ?disabled=${!camera.coverage.views} @click=${() => step.act("DELETE", "/views")}>${t("calibrating.throw_away")}</button></div></div>
      <div class="stack">${camera.lens ? lensCard(wizard, name, camera) : nothing}
        <div class="card stack"><header><h3 class="grow">${t("calibrating.views", { n: camera.coverage.views })}</h3></header>${coverage(camera.coverage)}</div>
        <div class="card stack"><h3>${t("calibrating.board")}</h3>${choice(t("calibrating.board"), BOARDS, boardOf(), setBoard)}
          ${boardOf() === "chessboard" ? nothing : html`<a class="button" href=${api(`/board.pdf?paper=${boardOf()}`)} target="_blank" rel="noopener">${icon("print")}${t("calibrating.print_board")}</a>`}
          ${choice(t("calibrating.which_role"), [["shelf", t("calibrating.role_shelf")], ["overhead", t("calibrating.role_overhead")]], camera.role, (role) => step.act("PUT", "/role", { role }))}</div></div></div>`;
  };
}

function coverage(c) {
  const most = Math.max(1, ...c.heat.flat());
  const heat = c.heat.flatMap((row, y) => row.map((count, x) => svg`<rect class="h${count ? Math.min(3, 1 + Math.floor((2 * count) / most)) : 0}" x=${x} y=${y} width="1" height="1"/>`));
  const arrows = { up: "M0 -1L.35 -.45H-.35Z", down: "M0 1L.35 .45H-.35Z", left: "M-1 0L-.45 .35V-.35Z", right: "M1 0L.45 .35V-.35Z" };
  return html`<div class="cal-bars">${Object.entries(c.progress).map(([key, value]) => html`<span>${t(`calibrating.bar_${key}`)}</span><progress class="bar" max="1" value=${value} aria-label=${t(`calibrating.bar_${key}`)}></progress>`)}</div>
    <div class="cal-heat"><svg viewBox="0 0 5 5" role="img" aria-label=${t("calibrating.heat", { share: percent(c.heat_share) })}>${heat}</svg>
      <svg viewBox="-1.2 -1.2 2.4 2.4" role="img" aria-label=${t("calibrating.tilts")}>${c.all_tilts.map((each) => svg`<path class=${c.tilts.includes(each) ? "on" : ""} d=${arrows[each]}/>`)}<text font-size=".4" text-anchor="middle" y=".14" fill="currentColor">${number(c.steepest_deg)}°</text></svg></div>
    ${c.next.length ? html`<ul class="stack small">${c.next.map((each) => html`<li>${each}</li>`)}</ul>` : html`<p class="small">${t("calibrating.covered")}</p>`}`;
}

function lensCard(wizard, name, camera) {
  const lens = camera.lens, longest = Math.max(...lens.bars.map((each) => each[1]), 0.01), wide = lens.difference_px[0]?.length ?? 0;
  return html`<div class="card stack" data-lens=${lens.light}><header><h3 class="grow">${t("calibrating.result")}</h3>${light(lens.light)}</header>
    ${lens.reasons.length ? html`<ul class="stack">${lens.reasons.map((each) => html`<li>${each}</li>`)}</ul>` : html`<p>${t("calibrating.all_good")}</p>`}
    <dl class="facts"><dt>${t("calibrating.rms")}</dt><dd>${number(lens.rms_px, 2)} px</dd><dt>${t("calibrating.focal")}</dt><dd>${number(lens.lens.matrix[0][0], 0)} px ± ${percent(lens.focal_sigma, 2)}</dd>
      ${lens.halves_p95_px === null ? nothing : html`<dt>${t("calibrating.halves")}</dt><dd>${number(lens.halves_p95_px, 1)} px</dd>`}
      ${lens.line_p95_px === null ? nothing : html`<dt>${t("calibrating.lines")}</dt><dd>${number(lens.line_p95_px, 2)} px</dd>`}</dl>
    <div class="cal-views"><svg viewBox="0 0 ${lens.bars.length} 1" preserveAspectRatio="none" role="img" aria-label=${t("calibrating.bars")}>${lens.bars.map(([, rms], place) => svg`<rect x=${place + 0.1} y=${1 - rms / longest} width=".8" height=${rms / longest}/>`)}</svg></div>
    ${wide ? html`<div class="cal-map"><svg viewBox="0 0 ${wide} ${lens.difference_px.length}" role="img" aria-label=${t("calibrating.difference")}>${lens.difference_px.flatMap((row, y) => row.map((off, x) => svg`<rect x=${x} y=${y} width="1.02" height="1.02" fill="hsl(${Math.max(0, 130 - off * 26)} 60% 45%)"/>`))}</svg><p class="soft small">${t("calibrating.difference_text")}</p></div>` : nothing}
    <div class="cal-actions"><a class="button" href=${ofCamera(name, "/report.html")} download>${t("calibrating.report")}</a>${lens.light === "red" ? nothing : goOn(wizard)}</div></div>`;
}

// ---------- the place

function placeStep(wizard, name, step) {
  const shelf = shelfPlace(wizard, name, step), overhead = overheadPlace(wizard, name, step);
  return () => {
    const own = wizard.shop.steps.find((each) => each.name === `camera/${name}/place`);
    if (own?.progress === "waits") return say(t(`calibrating.missing_${own.missing}`), "warn", "wait");
    return step.camera.role === "shelf" ? shelf() : overhead();
  };
}

const lines = (overlay, old) => Object.values(overlay).map((each) => svg`<polygon class="line ${old ? "old" : ""}" points=${each.map((p) => p.join(",")).join(" ")}/>`);

function placeCard(wizard, step, name) {
  const place = step.camera.place;
  if (!place) return nothing;
  return html`<div class="card stack" data-place=${place.light}><header><h3 class="grow">${t("calibrating.placed")}</h3>${light(place.light)}</header>
    <dl class="facts"><dt>${t("calibrating.placed_by")}</dt><dd>${place.by}</dd><dt>${t("calibrating.expected")}</dt><dd>${number(place.expected_p95_m * 1000, 1)} mm</dd>
    ${place.held_out_p95_m === null ? nothing : html`<dt>${t("calibrating.held_out")}</dt><dd>${number(place.held_out_p95_m * 1000, 1)} mm</dd>`}<dt>${t("calibrating.rms")}</dt><dd>${number(place.rms_px, 2)} px</dd></dl>
    <p class="soft small">${t("calibrating.line_check")}</p>${goOn(wizard)}</div>`;
}

/** Points in a still: they are set by tapping and moved by dragging, under a magnifier. */
function pointSetter(step, points, { most = Infinity, changed, added = () => {} }) {
  let held = null;
  const box = (event) => event.currentTarget.closest(".cal-picture");
  return {
    down(event) {
      if (!step.picture.image.naturalWidth) return;
      const size = step.camera.size_px, at = pixelAt(event, event.currentTarget, size), near = size[0] / 40;
      held = points().findIndex(([x, y]) => Math.hypot(x - at[0], y - at[1]) < near);
      if (held < 0) {
        if (points().length >= most) { held = null; return; }
        held = points().length;
      }
      event.currentTarget.setPointerCapture(event.pointerId);
      changed(held, at);
      loupe(box(event), step.picture.image, event);
    },
    move(event) {
      if (held === null) return;
      changed(held, pixelAt(event, event.currentTarget, step.camera.size_px));
      loupe(box(event), step.picture.image, event);
    },
    up(event) {
      loupe(box(event), null, null);
      if (held !== null) { const set = held; held = null; added(set); }
    },
  };
}

function shelfPlace(wizard, name, step) {
  let how = null, clicks = [];
  const corners = ["bottom_left", "bottom_right", "top_right", "top_left"];
  const acts = pointSetter(step, () => clicks, { most: 4, changed: (place, at) => { clicks = [...clicks]; clicks[place] = at; wizard.draw(); } });
  const choose = async (fixture) => { if (await step.act("PUT", "/fixture", { fixture })) look_(); };
  const look_ = () => { step.said = ""; if (fixtureOf()?.first_marker !== null) step.act("POST", "/look", { wanted: "markers" }); };
  const fixtureOf = () => wizard.shop.fixtures.find((each) => each.name === step.camera.fixture);
  const still = async () => { step.said = ""; clicks = []; if (await step.act("POST", "/still")) { step.picture?.stop(); step.picture = null; wizard.draw(); } };
  return () => {
    const camera = step.camera, size = camera.size_px ?? [16, 9], fixture = fixtureOf();
    const pick = choice(t("calibrating.fixture"), wizard.shop.fixtures.map((each) => [each.name, each.name]), camera.fixture, choose);
    if (!fixture) return html`<div class="card stack"><h3>${t("calibrating.which_fixture")}</h3>${pick}</div>`;
    how ??= fixture.first_marker === null ? "clicks" : "markers";
    const byMarkers = how === "markers" && fixture.first_marker !== null, found = camera.markers_live;
    const picture = step.show(!byMarkers && camera.still);
    const seen = found ? found.wanted.filter((each) => found.found[each]).length : 0;
    const over = byMarkers && found
      ? Object.entries(found.found).map(([id, each]) => svg`<polygon class="line" points=${each.map((p) => p.join(",")).join(" ")}/><text class="cal-label" font-size=${size[0] / 45} x=${each[0][0]} y=${each[0][1]}>${id}</text>`)
      : byMarkers ? nothing : clicks.map((each, place) => cross(each, place + 1, size, place === clicks.length - 1));
    const words = camera.place && !found ? nothing : byMarkers
      ? found ? say(t(found.steady ? "calibrating.markers_steady" : "calibrating.markers_seen", { n: seen, all: found.wanted.length }), found.steady ? "good" : "", found.steady ? "check" : "wait") : say(t("calibrating.markers_begin"))
      : camera.still ? (clicks.length < 4 ? say(t(`calibrating.tap_${corners[clicks.length]}`)) : say(t("calibrating.taps_done"), "good", "check")) : say(t("calibrating.still_first"));
    return html`<div class="cal-two"><div class="stack"><div class="cal-picture ${byMarkers ? "" : "tap"}">${picture.image}${drawing(size, html`${lines(camera.overlay)}${over}`, byMarkers || !camera.still ? {} : acts)}</div>
        ${words}${trouble(step)}
        <div class="cal-actions">${byMarkers
          ? found ? html`<button type="button" class="button primary" data-act="place" ?disabled=${seen < 2} @click=${() => { step.said = ""; step.act("POST", "/place/markers"); }}>${t("calibrating.place")}</button>`
            : html`<button type="button" class="button ${camera.place ? "" : "primary"}" data-act="find-markers" @click=${look_}>${t("calibrating.find_markers")}</button>`
          : html`<button type="button" class="button" data-act="still" @click=${still}>${t("calibrating.take_still")}</button>
            <button type="button" class="button primary" data-act="place" ?disabled=${clicks.length < 4} @click=${() => { step.said = ""; step.act("POST", "/place/clicks", { pixels: clicks }); }}>${t("calibrating.place")}</button>
            <button type="button" class="button quiet" ?disabled=${!clicks.length} @click=${() => { clicks = []; wizard.draw(); }}>${t("calibrating.taps_away")}</button>`}</div></div>
      <div class="stack">${placeCard(wizard, step, name)}<div class="card stack"><h3>${t("calibrating.fixture")}</h3>${pick}
        ${fixture.first_marker === null ? nothing : choice(t("calibrating.how"), [["markers", t("calibrating.by_markers")], ["clicks", t("calibrating.by_clicks")]], how, (value) => { how = value; wizard.draw(); })}</div></div></div>`;
  };
}

function overheadPlace(wizard, name, step) {
  let marks = null, waiting = null, said = null;
  const keep = async () => { await step.act("PUT", "/marks", { marks }); };
  const pixels = () => [...marks.map((each) => each.pixel), ...(waiting ? [waiting] : [])];
  const acts = pointSetter(step, () => pixels(), {
    changed: (place, at) => { if (place < marks.length) marks[place] = { ...marks[place], pixel: at }; else waiting = at; wizard.draw(); },
    added: (place) => { if (place < marks.length) keep(); },
  });
  const put = (at) => { if (!waiting) return; marks = [...marks, { pixel: waiting, floor_m: at }]; waiting = null; keep(); };
  const byNumbers = async () => {
    const x = await askNumber(t("calibrating.mark_x"), null, "m"); if (x === null) return;
    const y = await askNumber(t("calibrating.mark_y"), null, "m"); if (y !== null) put([x, y]);
  };
  const still = async () => { step.said = ""; if (await step.act("POST", "/still")) { step.picture?.stop(); step.picture = null; wizard.draw(); } };
  const board = { kind: "charuco", paper: "A3" };
  const take = async () => { step.said = ""; try { said = await ask("POST", api("/boards"), board); await wizard.refresh(); } catch (error) { step.said = error.message; } step.load(); };
  return () => {
    const camera = step.camera, size = camera.size_px ?? [16, 9];
    marks ??= camera.marks.map((each) => ({ ...each }));
    const picture = step.show(camera.still);
    const shown = html`${lines(camera.overlay)}${pixels().map((each, place) => cross(each, place + 1, size, place === marks.length))}`;
    const spots = marks.map((each, place) => svg`<circle class="spot" cx=${each.floor_m[0]} cy=${-each.floor_m[1]} r="0.09"/><text font-size="0.2" x=${each.floor_m[0] + 0.2} y=${-each.floor_m[1]}>${place + 1}</text>`);
    const words = !camera.still ? say(t("calibrating.still_first")) : waiting ? say(t("calibrating.tap_plan")) : marks.length < 4 ? say(t("calibrating.tap_mark", { n: marks.length + 1 })) : say(t("calibrating.marks_enough", { n: marks.length }), "good", "check");
    return html`<div class="cal-two"><div class="stack"><div class="cal-picture tap">${picture.image}${drawing(size, shown, camera.still ? acts : {})}</div>
        ${words}${trouble(step)}
        <div class="cal-actions"><button type="button" class="button ${camera.still ? "" : "primary"}" data-act="still" @click=${still}>${t("calibrating.take_still")}</button>
          <button type="button" class="button primary" data-act="place" ?disabled=${marks.length < 4} @click=${() => { step.said = ""; step.act("POST", "/place/marks"); }}>${t("calibrating.place")}</button></div>
        <details class="card"><summary>${t("calibrating.walked")}</summary><div class="stack"><p>${t("calibrating.walked_text")}</p>
          <p>${t("calibrating.walked_places", { n: wizard.shop.boards.length })}</p>${said ? html`<ul>${Object.entries(said).map(([camera_, why]) => html`<li>${camera_}: ${why || t("calibrating.seen")}</li>`)}</ul>` : nothing}
          <div class="cal-actions"><button type="button" class="button" @click=${take}>${t("calibrating.walked_take")}</button>
          <button type="button" class="button" ?disabled=${!wizard.shop.boards.length} @click=${async () => { step.said = ""; try { await wizard.change("POST", "/boards/place"); } catch (error) { step.said = error.message; } step.load(); }}>${t("calibrating.walked_place")}</button>
          <button type="button" class="button quiet" ?disabled=${!wizard.shop.boards.length} @click=${() => wizard.change("DELETE", "/boards").catch(() => {})}>${t("calibrating.throw_away")}</button></div></div></details></div>
      <div class="stack">${placeCard(wizard, step, name)}<div class="card stack"><h3>${t("calibrating.where_on_floor")}</h3>
        ${plan(wizard.shop, spots, { tap: (at) => put(at.map((each) => Math.round(each * 20) / 20)) })}
        <button type="button" class="button" data-act="numbers" ?disabled=${!waiting} @click=${byNumbers}>${t("calibrating.by_numbers")}</button>
        <ol class="list">${marks.map((each, place) => html`<li><div class="item"><span class="grow">${place + 1}: ${number(each.floor_m[0], 2)}, ${number(each.floor_m[1], 2)} m</span>
          <button type="button" class="button quiet icon-only" aria-label=${t("calibrating.remove", { name: place + 1 })} @click=${() => { marks = marks.filter((_, other) => other !== place); keep(); }}>${icon("cross")}</button></div></li>`)}</ol></div></div></div>`;
  };
}
