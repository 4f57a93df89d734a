/**
 * The buttons: microphone, camera, screen, hand, stage, moderation, leaving.
 *
 * @module
 */

import { attempt, byId, flash } from "./dom.js";
import { claimsOf, developmentToken, identityFor } from "./lobby.js";
import { moderates } from "./stage.js";

/** @typedef {import("../sdk/estrade.js").Room} Room */
/** @typedef {import("./stage.js").StageView} StageView */

const VIDEO = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

export class Controls {
  #room;
  #view;
  #token;
  /** @type {Map<string, MediaStreamTrack>} */
  #tracks = new Map();
  #videoWanted = true;

  /** @param {Room} room @param {StageView} view @param {string} token */
  constructor(room, view, token) {
    this.#room = room;
    this.#view = view;
    this.#token = token;
    const acts = {
      microphone: () => this.#toggle("microphone"),
      camera: () => this.#toggle("camera"),
      screen: () => this.#toggle("screen"),
      hand: () => this.#toggleHand(),
      "step-down": () => room.demote(room.participant),
      "mute-all": () => room.muteAll(),
      "audio-only": () => this.#toggleVideo(),
      "copy-invite": () => this.#copyInvite(),
      end: () => room.endRoom(),
      leave: () => room.leave(),
    };
    for (const [id, act] of Object.entries(acts)) byId(id).onclick = () => attempt(act);
    byId("chat-form").onsubmit = (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      void attempt(() => this.#say());
    };
    room.addEventListener("state", () => this.draw());
    room.addEventListener("permits", () => this.draw());
    room.addEventListener("closed", () => this.#stopAll());
    room.addEventListener("speakingwhilemuted", () => flash("You are muted: nobody hears you."));
    room.addEventListener("invited", () => attempt(() => this.#answerInvitation()));
    room.addEventListener("unmuterequested", () => attempt(() => this.#answerUnmute()));
    this.draw();
  }

  draw() {
    const { self, permits } = this.#room;
    const isOnStage = self?.stage === "onStage";
    if (!isOnStage) this.#stopAll();
    show("[data-stage]", isOnStage);
    show("[data-audience]", !isOnStage);
    show("[data-moderator]", moderates(this.#room));
    show("[data-host]", self?.role === "host");
    const sounds = this.#tracks.has("microphone") && permits.microphone;
    label("microphone", sounds ? "Mute" : "Unmute", sounds);
    const isSeen = this.#tracks.has("camera") && permits.camera;
    label("camera", isSeen ? "Stop camera" : "Start camera", isSeen);
    label("screen", this.#tracks.has("screen") ? "Stop sharing" : "Share screen", this.#tracks.has("screen"));
    label("hand", this.#isHandUp() ? "Lower hand" : "Raise hand", this.#isHandUp());
    byId("microphone").disabled = self?.audio.locked ?? false;
    byId("camera").disabled = self?.video.locked ?? false;
  }

  #isHandUp() {
    return this.#room.state.hands.some(({ participant }) => participant === this.#room.participant);
  }

  /** @param {"microphone" | "camera" | "screen"} source */
  async #toggle(source) {
    if (source === "microphone" && this.#tracks.has(source)) {
      await this.#room.mute("audio", this.#room.permits.microphone);
      return;
    }
    if (this.#tracks.has(source)) {
      await this.#stop(source);
      return;
    }
    const track = await capture(source);
    track.addEventListener("ended", () => void this.#stop(source));
    this.#tracks.set(source, track);
    const kind = source === "microphone" ? "audio" : "video";
    if (!this.#room.permits[source]) await this.#room.mute(kind, false);
    await this.#room.publish(source, track);
    if (source === "camera") this.#view.showSelf(track);
    this.draw();
  }

  /** @param {"microphone" | "camera" | "screen"} source */
  async #stop(source) {
    this.#tracks.get(source)?.stop();
    this.#tracks.delete(source);
    if (source === "camera") this.#view.showSelf(null);
    await this.#room.publish(source, null);
    this.draw();
  }

  #stopAll() {
    for (const [source, track] of this.#tracks) {
      track.stop();
      void this.#room.publish(/** @type {any} */ (source), null);
    }
    if (this.#tracks.delete("camera")) this.#view.showSelf(null);
    this.#tracks.clear();
  }

  async #toggleHand() {
    await (this.#isHandUp() ? this.#room.lowerHand() : this.#room.raiseHand());
  }

  async #toggleVideo() {
    this.#videoWanted = !this.#videoWanted;
    await this.#room.wantVideo(this.#videoWanted);
    byId("audio-only").setAttribute("aria-pressed", String(!this.#videoWanted));
  }

  async #copyInvite() {
    const { room } = claimsOf(this.#token);
    const token = await developmentToken({ room, role: "listener", name: "Guest", identity: identityFor("guest") });
    const link = `${location.origin}/#token=${token}`;
    try {
      await navigator.clipboard.writeText(link);
      flash("Invite link copied: it lets one listener in.");
    } catch {
      // No clipboard without https or permission: the person copies it by hand.
      prompt("Invite link: it lets one listener in.", link);
    }
  }

  async #say() {
    const input = byId("chat-form").elements.text;
    const text = input.value.trim();
    if (text === "") return;
    await this.#room.sendData("chat", text);
    // The server does not send our own words back.
    this.#view.say(this.#room.participant, text);
    input.value = "";
  }

  async #answerInvitation() {
    const accepted = await ask("You are invited to come on stage. Do you accept?");
    await (accepted ? this.#room.acceptInvite() : this.#room.declineInvite());
  }

  async #answerUnmute() {
    if (!(await ask("The host asks you to unmute your microphone."))) return;
    if (!this.#tracks.has("microphone")) await this.#toggle("microphone");
    else await this.#room.mute("audio", false);
  }
}

/** @param {"microphone" | "camera" | "screen"} source */
async function capture(source) {
  const { mediaDevices } = navigator;
  if (!mediaDevices) throw new Error("Microphone and camera need https or localhost.");
  const stream = await {
    microphone: () => mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true } }),
    camera: () => mediaDevices.getUserMedia({ video: VIDEO }),
    screen: () => mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } } }),
  }[source]();
  const [track] = stream.getTracks();
  if (track === undefined) throw new Error(`No ${source} was found.`);
  if (source === "screen") track.contentHint = "detail";
  return track;
}

/** @param {string} question */
function ask(question) {
  const dialog = byId("prompt");
  dialog.querySelector("p").textContent = question;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** @param {string} selector @param {boolean} visible */
function show(selector, visible) {
  for (const each of document.querySelectorAll(selector)) {
    /** @type {HTMLElement} */ (each).hidden = !visible;
  }
}

/** @param {string} id @param {string} text @param {boolean} isOn */
function label(id, text, isOn) {
  const button = byId(id);
  button.textContent = text;
  button.classList.toggle("on", isOn);
}
