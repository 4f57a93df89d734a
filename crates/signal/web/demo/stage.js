/**
 * Draws the room: the picture, the people on stage, hands, audience and chat.
 *
 * Everything is drawn from the SDK's state on its events; nothing here decides anything.
 *
 * @module
 */

import { actButton, byId, colorOf, element, initials } from "./dom.js";

/** @typedef {import("../sdk/estrade.js").Room} Room */
/** @typedef {import("../sdk/types.js").Participant} Participant */

/** Audience members listed by name; beyond that the number stands for them. */
const AUDIENCE_LISTED = 30;

/**
 * A name to show.
 *
 * @param {Room} room
 * @param {string | null | undefined} id
 */
export const nameOf = (room, id) => (id ? room.find(id)?.name || id : "");

/**
 * Whether we moderate here.
 *
 * @param {Room} room
 */
export const moderates = (room) =>
  ["host", "cohost"].includes(room.self?.role ?? "") && room.state.settings.clientModeration;

export class StageView {
  #room;
  /** @type {Set<string>} */
  #speaking = new Set();
  /** @type {Map<string, HTMLVideoElement>} */
  #thumbnails = new Map();
  /** @type {string | null} */
  #pinned = null;
  /** Kept over redraws: a new element would flash. @type {HTMLVideoElement | null} */
  #selfView = null;
  #audienceTimer = 0;

  /** @param {Room} room */
  constructor(room) {
    this.#room = room;
    room.addEventListener("state", () => this.draw());
    room.addEventListener("slot", () => this.#drawSlots());
    room.addEventListener("speaking", (event) => this.#onSpeaking(/** @type {CustomEvent} */ (event).detail));
    room.addEventListener("audience", () => this.draw());
    room.addEventListener("data", (event) => this.#onData(/** @type {CustomEvent} */ (event).detail));
    byId("unpin").onclick = () => this.#pin(null);
    this.#drawSlots();
    this.draw();
  }

  /** Shows our own camera on our own tile. @param {MediaStreamTrack | null} track */
  showSelf(track) {
    this.#selfView = track ? videoElement() : null;
    if (this.#selfView && track) this.#selfView.srcObject = new MediaStream([track]);
    this.draw();
  }

  draw() {
    const { state } = this.#room;
    byId("room-name").textContent = state.id;
    byId("audience-count").textContent = String(state.audienceCount);
    byId("stage-list").replaceChildren(...state.stage.map((each) => this.#tile(each)));
    const hands = state.hands.map(({ participant }) => this.#handRow(participant));
    byId("hands-list").replaceChildren(...hands);
    byId("hands-panel").hidden = hands.length === 0;
    this.#drawCaption();
    this.#readAudience();
  }

  #drawSlots() {
    for (const slot of this.#room.slots.values()) {
      if (slot.kind === "audio") attachAudio(slot);
      else if (slot.id === "main") attachVideo(byId("main-video"), slot);
      else if (slot.id === "second") attachVideo(byId("second-video"), slot);
      else this.#attachThumbnail(slot);
    }
    byId("second-video").hidden = !this.#room.slots.get("second")?.participant;
    this.draw();
  }

  /** @param {import("../sdk/types.js").Slot} slot */
  #attachThumbnail(slot) {
    let video = this.#thumbnails.get(slot.id);
    if (video === undefined) {
      video = videoElement();
      this.#thumbnails.set(slot.id, video);
    }
    attachVideo(video, slot);
  }

  #drawCaption() {
    const main = this.#room.slots.get("main");
    const shown = main?.participant ?? null;
    const who = shown ?? this.#room.state.activeSpeaker ?? this.#room.state.stage[0]?.id ?? null;
    byId("main-name").textContent = nameOf(this.#room, who) || "Nobody is on stage yet";
    byId("main-kind").hidden = main?.source !== "screen";
    byId("main-kind").textContent = "Screen";
    byId("main-video").style.visibility = shown ? "visible" : "hidden";
    const avatar = byId("main-avatar");
    avatar.hidden = shown !== null || who === null;
    avatar.textContent = initials(nameOf(this.#room, who));
    avatar.style.background = colorOf(who ?? "");
    byId("unpin").hidden = this.#pinned === null;
  }

  /** @param {Participant} participant */
  #tile(participant) {
    const { id, role } = participant;
    const isSelf = id === this.#room.participant;
    const name = participant.name || id;
    const tile = element("li", {
      className: "tile",
      title: isSelf ? "You" : `Pin ${name}`,
      onclick: () => (isSelf ? undefined : this.#pin(this.#pinned === id ? null : id)),
    });
    tile.dataset.participant = id;
    tile.classList.toggle("speaking", this.#speaking.has(id));
    tile.classList.toggle("floor", this.#room.state.activeSpeaker === id);
    const muted = !participant.permits.microphone || !participant.sources.includes("microphone");
    const about = [role, muted ? "muted" : "", participant.connected ? "" : "connecting"];
    tile.append(
      this.#face(participant, isSelf),
      element("span", { className: "name", textContent: isSelf ? `${name} (you)` : name }),
      element("span", { className: "about", textContent: about.filter(Boolean).join(" · ") }),
    );
    if (!isSelf && moderates(this.#room)) tile.append(this.#acts(participant));
    return tile;
  }

  /** @param {Participant} participant @param {boolean} isSelf */
  #face(participant, isSelf) {
    if (isSelf && this.#selfView) return resumed(this.#selfView);
    for (const [slotId, video] of this.#thumbnails) {
      const slot = this.#room.slots.get(slotId);
      if (slot?.participant === participant.id && slot.source === "camera") return resumed(video);
    }
    const name = participant.name || participant.id;
    const face = element("div", { className: "avatar", textContent: initials(name) });
    face.style.background = colorOf(participant.id);
    return face;
  }

  /** @param {Participant} participant */
  #acts(participant) {
    const { id } = participant;
    const spotlit = this.#room.state.spotlight.includes(id);
    return element("div", { className: "acts" }, [
      actButton("Mute", () => this.#room.muteParticipant(id, "audio")),
      actButton(spotlit ? "Unspot" : "Spot", () => this.#room.spotlight(spotlit ? [] : [id])),
      participant.role === "host" ? null : actButton("Down", () => this.#room.demote(id)),
    ]);
  }

  /** @param {string} id */
  #handRow(id) {
    const row = element("li", {}, [
      element("span", { className: "name", textContent: nameOf(this.#room, id) }),
    ]);
    if (moderates(this.#room)) {
      row.append(
        actButton("Approve", () => this.#room.approveHand(id)),
        actButton("Reject", () => this.#room.rejectHand(id)),
      );
    }
    return row;
  }

  /** Reads the audience soon, once for many changes. */
  #readAudience() {
    clearTimeout(this.#audienceTimer);
    this.#audienceTimer = window.setTimeout(async () => {
      try {
        const { participants, total } = await this.#room.participants("audience");
        const listed = participants.slice(0, AUDIENCE_LISTED);
        byId("audience-list").replaceChildren(...listed.map((each) => this.#audienceRow(each)));
        byId("audience-more").hidden = total <= listed.length;
        byId("audience-more").textContent = `and ${total - listed.length} more`;
      } catch {
        // The connection is down: the list is read again when it is back.
      }
    }, 300);
  }

  /** @param {Participant} participant */
  #audienceRow(participant) {
    const row = element("li", {}, [
      element("span", { className: "name", textContent: participant.name || participant.id }),
    ]);
    if (moderates(this.#room)) row.append(actButton("Invite", () => this.#room.invite(participant.id)));
    return row;
  }

  /** @param {Array<{ participant: string }>} speaking */
  #onSpeaking(speaking) {
    this.#speaking = new Set(speaking.map(({ participant }) => participant));
    for (const tile of document.querySelectorAll(".tile")) {
      const id = /** @type {HTMLElement} */ (tile).dataset.participant ?? "";
      tile.classList.toggle("speaking", this.#speaking.has(id));
    }
  }

  /** @param {{ from: string | null, topic: string, payload: string }} message */
  #onData({ from, topic, payload }) {
    if (topic === "chat") this.say(from, payload);
  }

  /** Adds a line to the chat. @param {string | null} from @param {string} text */
  say(from, text) {
    const author = element("b", { textContent: from ? nameOf(this.#room, from) : "Room" });
    const line = element("li", {}, [author, text]);
    byId("chat-log").append(line);
    line.scrollIntoView({ block: "end" });
  }

  /** @param {string | null} id */
  async #pin(id) {
    await this.#room.pin(id);
    this.#pinned = id;
    this.draw();
  }
}

/** @returns {HTMLVideoElement} */
function videoElement() {
  const properties = { autoplay: true, playsInline: true, muted: true };
  return /** @type {HTMLVideoElement} */ (element("video", properties));
}

/**
 * An element that plays on although it is moved: taking it out of the page pauses it.
 *
 * @param {HTMLVideoElement} video
 */
function resumed(video) {
  queueMicrotask(() => void video.play().catch(() => {}));
  return video;
}

/**
 * Plays a slot's track in a video element; a new connection brings new tracks.
 *
 * @param {HTMLVideoElement} video
 * @param {import("../sdk/types.js").Slot} slot
 */
function attachVideo(video, slot) {
  const current = /** @type {MediaStream | null} */ (video.srcObject);
  if (current?.getTracks()[0] === slot.track) return;
  video.srcObject = new MediaStream([slot.track]);
  void video.play().catch(() => {});
}

/** @param {import("../sdk/types.js").Slot} slot */
function attachAudio(slot) {
  const id = `play-${slot.id}`;
  let audio = byId(id);
  if (audio === null) {
    audio = element("audio", { id, autoplay: true });
    byId("audio-out").append(audio);
  }
  if (audio.srcObject?.getTracks()[0] === slot.track) return;
  audio.srcObject = new MediaStream([slot.track]);
  void audio.play().catch(() => {});
}
