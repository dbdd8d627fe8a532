"use strict";
{
  const byId = (id) => document.getElementById(id);
  const stage = byId("stage"), seekBar = byId("seek"), clock = byId("clock");
  const playButton = byId("play"), loopButton = byId("loop"), status = byId("status");
  const seconds = Number(stage.dataset.seconds);
  const lanes = [...stage.querySelectorAll(".lane")].map((row) => ({
    row,
    sound: row.dataset.sound,
    audio: row.querySelector("audio"),
    alone: row.querySelector(".alone"),
    mute: row.querySelector(".mute"),
    track: row.querySelector(".track"),
    label: row.querySelector(".alone").textContent,
  }));
  const ZOOM_MOST = 64;
  let heard = new Set([0]), before = [0], playing = false, at = 0, zoom = 1, loop = null, turn = 0, waiting = false;

  const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
  const written = (t, digits) => {
    const whole = Math.floor(t), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60, s = whole % 60;
    const text = (h ? `${h}:${String(m).padStart(2, "0")}` : `${m}`) + `:${String(s).padStart(2, "0")}`;
    return digits ? `${text}.${Math.floor((t - whole) * 10)}` : text;
  };

  // Sound in the page: all tracks are started by one clock, so they cannot part.
  class Buffers {
    async load() {
      this.context = new AudioContext();
      const decoder = new OfflineAudioContext(1, 1, 16000);
      this.tracks = await Promise.all(lanes.map(async ({ sound }, i) => {
        const bytes = Uint8Array.from(atob(sound.slice(sound.indexOf(",") + 1)), (c) => c.charCodeAt(0));
        const gain = new GainNode(this.context, { gain: heard.has(i) ? 1 : 0 });
        gain.connect(this.context.destination);
        return { buffer: await decoder.decodeAudioData(bytes.buffer), gain };
      }));
    }
    async prepare() {
      this.stop();
      await (this.loaded ??= this.load());
      await this.context.resume();
    }
    start(t) {
      const when = this.context.currentTime + 0.03;
      this.began = when - t;
      this.sources = this.tracks.map(({ buffer, gain }) => {
        const source = new AudioBufferSourceNode(this.context, { buffer });
        source.connect(gain);
        source.start(when, t);
        return source;
      });
    }
    stop() {
      this.sources?.forEach((source) => source.stop());
      this.sources = null;
    }
    hear() { this.tracks?.forEach(({ gain }, i) => gain.gain.setTargetAtTime(heard.has(i) ? 1 : 0, this.context.currentTime, 0.006)); }
    get position() { return Math.max(at, this.context.currentTime - this.began); }
  }

  // Sound in files beside the page, however long: players that are started together once each of
  // them can, and bent a little where one lags.
  class Players {
    constructor() { this.lags = new Map(); }
    get usable() { return lanes.filter(({ audio }) => !audio.error).map(({ audio }) => audio); }
    get leader() { return this.usable.find((audio) => !audio.muted) ?? this.usable[0]; }
    async prepare(t) {
      this.stop();
      for (const audio of this.usable) audio.currentTime = t;
      await Promise.all(this.usable.map((audio) => this.ready(audio)));
    }
    ready(audio) {
      const names = ["seeked", "canplay", "error"];
      const isReady = () => audio.error || (!audio.seeking && audio.readyState >= 3);
      return isReady() ? null : new Promise((resolve) => {
        const look = () => { if (isReady()) { names.forEach((name) => audio.removeEventListener(name, look)); resolve(); } };
        names.forEach((name) => audio.addEventListener(name, look));
      });
    }
    start() {
      this.lags.clear();
      for (const audio of this.usable) audio.play().catch(() => {});
    }
    stop() { for (const audio of this.usable) { audio.pause(); audio.playbackRate = 1; } }
    hear() { lanes.forEach(({ audio }, i) => { audio.muted = !heard.has(i); }); }
    // A reading of a player's time is some 10 ms off: only the median of many is believed.
    tend() {
      const leader = this.leader;
      for (const audio of this.usable) {
        if (audio === leader) { audio.playbackRate = 1; continue; }
        const lags = this.lags.get(audio) ?? [];
        lags.push(leader.currentTime - audio.currentTime);
        this.lags.set(audio, lags);
        if (lags.length < 12) continue;
        const lag = lags.sort((a, b) => a - b)[6];
        lags.length = 0;
        if (Math.abs(lag) > 0.2) audio.currentTime = leader.currentTime;
        else audio.playbackRate = Math.abs(lag) > 0.008 ? 1 + clamp(lag, -0.04, 0.04) : 1;
      }
    }
    get position() { this.tend(); return this.leader?.currentTime ?? 0; }
  }
  const sound = lanes[0].sound ? new Buffers() : new Players();

  function show() {
    stage.style.setProperty("--at", at / seconds);
    seekBar.value = at;
    seekBar.setAttribute("aria-valuetext", `${written(at)} of ${written(seconds)}`);
    clock.textContent = `${written(at, 1)} / ${written(seconds)}`;
    playButton.textContent = playing ? "❚❚ Pause" : "▶ Play";
  }

  function hear(numbers, told = true) {
    heard = new Set(numbers);
    lanes.forEach((lane, i) => {
      const isHeard = heard.has(i);
      lane.row.classList.toggle("silent", !isHeard);
      lane.alone.setAttribute("aria-pressed", isHeard && heard.size === 1);
      lane.mute.setAttribute("aria-pressed", !isHeard);
    });
    sound.hear();
    if (told) status.textContent = heard.size ? `You hear ${[...heard].sort().map((i) => lanes[i].label).join(", ")}.` : "All is muted.";
  }
  const hearAlone = (i) => { if (i < lanes.length) hear([i]); };
  function toggle(i) {
    const numbers = new Set(heard);
    if (!numbers.delete(i)) numbers.add(i);
    hear(numbers);
  }

  async function seek(t) {
    at = clamp(t, 0, Math.max(0, seconds - 0.02));
    show();
    if (!playing) return;
    const mine = ++turn;
    waiting = true;
    await sound.prepare(at);
    if (mine !== turn) return;
    waiting = false;
    sound.start(at);
  }
  function play() {
    if (!playing) requestAnimationFrame(tick);
    playing = true;
    seek(at >= seconds - 0.05 ? (loop?.on ? loop.from : 0) : at).catch((error) => { pause(); status.textContent = `The sound cannot be played: ${error.message}`; });
  }
  function pause() {
    playing = waiting = false;
    turn += 1;
    sound.stop();
    show();
  }
  function tick() {
    if (!playing) return;
    if (!waiting) {
      at = Math.min(sound.position, seconds);
      if (loop?.on && (at >= loop.to || at < loop.from - 0.3)) seek(loop.from);
      else if (at >= seconds - 0.02) { at = seconds; pause(); }
      follow();
      show();
    }
    requestAnimationFrame(tick);
  }

  const width = () => lanes[0].track.clientWidth;
  function follow() {
    if (zoom === 1) return;
    const view = stage.clientWidth - (width() > 0 ? lanes[0].track.offsetLeft : 0);
    const x = width() * at / seconds;
    if (x < stage.scrollLeft || x > stage.scrollLeft + view) stage.scrollLeft = x - 0.1 * view;
  }
  function setZoom(factor) {
    zoom = clamp(factor, 1, ZOOM_MOST);
    stage.style.setProperty("--zoom", zoom);
    const view = stage.clientWidth - lanes[0].track.offsetLeft;
    stage.scrollLeft = width() * at / seconds - view / 2;
    rule();
  }
  function rule() {
    const rough = seconds / Math.max(1, width() / 80);
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600].find((s) => s >= rough) || 7200;
    byId("ruler").replaceChildren(...Array.from({ length: Math.ceil(seconds / step) }, (_, i) => {
      const mark = document.createElement("b");
      mark.style.left = `${100 * i * step / seconds}%`;
      mark.textContent = written(i * step + 1e-6, step < 1);
      return mark;
    }));
  }

  function setLoop(from, to, on = true) {
    loop = { from: clamp(Math.min(from, to), 0, seconds), to: clamp(Math.max(from, to), 0, seconds), on };
    if (loop.to - loop.from < 0.1) loop.to = Math.min(seconds, loop.from + 0.1);
    stage.classList.toggle("loops", on);
    stage.style.setProperty("--from", loop.from / seconds);
    stage.style.setProperty("--to", loop.to / seconds);
    loopButton.setAttribute("aria-pressed", on);
    status.textContent = on ? `Loops ${written(loop.from, 1)} to ${written(loop.to, 1)}.` : "Loops no more.";
  }
  const toggleLoop = () => setLoop(loop?.from ?? 0, loop?.to ?? seconds, !loop?.on);

  const timeAt = (track, event) => {
    const box = track.getBoundingClientRect();
    return clamp((event.clientX - box.left) / box.width, 0, 1) * seconds;
  };
  byId("ruler").addEventListener("click", (event) => seek(timeAt(byId("ruler"), event)));
  lanes.forEach((lane, i) => {
    lane.alone.addEventListener("click", () => hearAlone(i));
    lane.mute.addEventListener("click", () => toggle(i));
    lane.audio?.addEventListener("error", () => { status.textContent = `The sound of ${lane.label} was not found: is its file beside this page?`; });
    let from = null;
    lane.track.addEventListener("pointerdown", (event) => { if (event.button === 0) from = event.clientX; });
    lane.track.addEventListener("pointermove", (event) => {
      if (from === null || event.pointerType !== "mouse" || !(event.buttons & 1) || Math.abs(event.clientX - from) < 5) return;
      setLoop(timeAt(lane.track, { clientX: from }), timeAt(lane.track, event));
    });
    lane.track.addEventListener("click", (event) => {
      const dragged = from !== null && Math.abs(event.clientX - from) >= 5;
      from = null;
      if (dragged) { if (loop) seek(loop.from); return; }
      if (event.target.closest(".turns")) seek(timeAt(lane.track, event));
      hearAlone(i);
    });
  });
  document.querySelectorAll(".turn").forEach((button) => button.addEventListener("click", () => {
    hearAlone(Number(button.dataset.lane));
    at = Number(button.dataset.start);
    play();
  }));
  playButton.addEventListener("click", () => (playing ? pause() : play()));
  loopButton.addEventListener("click", toggleLoop);
  byId("in").addEventListener("click", () => setZoom(2 * zoom));
  byId("out").addEventListener("click", () => setZoom(zoom / 2));
  seekBar.addEventListener("input", () => seek(Number(seekBar.value)));
  window.addEventListener("resize", rule);

  const keys = {
    " ": () => (playing ? pause() : play()),
    ArrowLeft: (event) => seek(at - (event.shiftKey ? 10 : 2)),
    ArrowRight: (event) => seek(at + (event.shiftKey ? 10 : 2)),
    Home: () => seek(0),
    End: () => seek(seconds),
    m: () => { if (heard.size) { before = [...heard]; hear([]); } else hear(before); },
    l: toggleLoop,
    "[": () => setLoop(at, loop && loop.to > at ? loop.to : seconds),
    "]": () => setLoop(loop && loop.from < at ? loop.from : 0, at),
    "+": () => setZoom(2 * zoom),
    "=": () => setZoom(2 * zoom),
    "-": () => setZoom(zoom / 2),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    // Who walks through the buttons by keyboard presses them with space.
    if (event.key === " " && event.target.matches("button:focus-visible, summary, a")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = /^\d$/.test(key) ? () => hearAlone(Number(key)) : keys[key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });

  hear([0], false);
  rule();
  show();
}
