/**
 * Estrade's client SDK: join a room, hear and see it, go on stage.
 *
 * ```js
 * import { connect } from "https://rooms.example/sdk/estrade.js";
 *
 * const room = await connect({ token });
 * const video = document.querySelector("video");
 * video.srcObject = new MediaStream([room.slot("main").track]);
 * room.addEventListener("slot", ({ detail }) => console.log(detail.id, "shows", detail.participant));
 * room.addEventListener("speaking", ({ detail }) => console.log(detail));
 * await room.raiseHand();
 * ```
 *
 * Plain ES modules with JSDoc types: no build step.
 *
 * @module
 */

import { MediaConnection } from "./media.js";
import { EstradeError, Signaling } from "./signaling.js";
import { apply, remember } from "./state.js";

export { EstradeError };

/** @typedef {import("./types.js").ConnectOptions} ConnectOptions */
/** @typedef {import("./types.js").Participant} Participant */
/** @typedef {import("./types.js").Permits} Permits */
/** @typedef {import("./types.js").RoomState} RoomState */
/** @typedef {import("./types.js").Slot} Slot */
/** @typedef {import("./types.js").SourceKind} SourceKind */
/** @typedef {import("./types.js").MuteKind} MuteKind */

/** Waits between attempts to come back, in milliseconds; the last one is tried again and again. */
const RECONNECT_WAITS_MS = [250, 500, 1_000, 2_000, 4_000];

/** How many attempts to come back are made before the room is given up. */
const RECONNECT_ATTEMPTS_MAX = 12;

/** Reasons for which the server closes for good: coming back would be refused, or is not wanted. */
const FINAL_REASONS = new Set(["left", "removed", "room_ended", "replaced"]);

/**
 * Joins the token's room.
 *
 * @param {ConnectOptions} options
 * @returns {Promise<Room>}
 * @throws {EstradeError} when the server refuses, with its reason as `code`
 */
export async function connect(options) {
  const room = new Room(options);
  await room.join();
  return room;
}

/**
 * A room, joined. Events (all `CustomEvent`s, data in `detail`):
 *
 * - `state`: {@link RoomState}, after every change
 * - `event`: a numbered room event, after it was applied to `state`
 * - `slot`: {@link Slot}, when a slot carries another source
 * - `speaking`: who speaks, loudest first, as `{ participant, volume }`
 * - `permits`: {@link Permits}, what the server takes from us
 * - `audience`: how many listen
 * - `data`: `{ from, topic, payload }`
 * - `speakingwhilemuted`, `unmuterequested`, `invited`
 * - `connection`: `"connecting" | "connected" | "reconnecting"`
 * - `closed`: the reason; the room is over for us
 */
export class Room extends EventTarget {
  #options;
  /** @type {Signaling | null} */
  #signaling = null;
  /** @type {MediaConnection | null} */
  #media = null;
  /** @type {Map<string, Slot>} */
  #slots = new Map();
  /** Tracks the app wants sent; sent only while the server takes them. */
  /** @type {Map<SourceKind, MediaStreamTrack>} */
  #wanted = new Map();
  /** Who is in the audience, as far as we know and no more than we can hold. */
  /** @type {Map<string, Participant>} */
  #audience = new Map();
  #closed = false;
  /** Whether {@link join} is under way: what goes wrong meanwhile is its own to tell. */
  #joining = false;

  /** @type {RoomState} */
  state = /** @type {any} */ (null);
  /** Our own identity. */
  participant = "";
  /** @type {Permits} */
  permits = { microphone: false, camera: false, screen: false };

  /** @param {ConnectOptions} options */
  constructor(options) {
    super();
    this.#options = { thumbnails: 0, reconnect: true, url: location.origin, ...options };
  }

  /** Opens the connection. Called once, by {@link connect}; nothing is left open when it fails. */
  async join() {
    this.#emit("connection", "connecting");
    this.#joining = true;
    try {
      await this.#enter();
    } catch (error) {
      this.#tearDown();
      throw error;
    } finally {
      this.#joining = false;
    }
    this.#emit("connection", "connected");
  }

  async #enter() {
    const gone = new EstradeError("disconnected", "The server closed the connection.");
    let isDown = false;
    const signaling = await Signaling.open(this.#options.url, this.#options.token);
    this.#signaling = signaling;
    const welcomed = new Promise((resolve, reject) => {
      signaling.onmessage = (message) => {
        this.#receive(message);
        if (message.type === "welcome") resolve(undefined);
        if (message.type === "closed") reject(new EstradeError(message.reason, message.reason));
      };
      signaling.onclose = () => {
        isDown = true;
        reject(gone);
        this.#lost(signaling);
      };
    });
    await welcomed;
    await this.#openMedia(signaling);
    // Either may have come about while media was being opened.
    if (isDown || this.#closed) throw gone;
  }

  /** Slots, by id. */
  get slots() {
    return this.#slots;
  }

  /**
   * One slot.
   *
   * @param {string} id
   * @returns {Slot}
   */
  slot(id) {
    const slot = this.#slots.get(id);
    if (slot === undefined) throw new EstradeError("unknown_slot", `There is no slot "${id}".`);
    return slot;
  }

  /** The peer connection, for `getStats`. */
  get peerConnection() {
    return this.#media?.peerConnection ?? null;
  }

  /** Ourselves, as the room sees us, while we are on stage or were seen in the audience. */
  get self() {
    return this.find(this.participant);
  }

  /**
   * A participant we know of.
   *
   * @param {string} id
   * @returns {Participant | undefined}
   */
  find(id) {
    return this.state?.stage.find((each) => each.id === id) ?? this.#audience.get(id);
  }

  /**
   * Publishes a track, or stops publishing with `null`. It is sent while the server takes it:
   * while we are on stage and not muted.
   *
   * @param {SourceKind} source
   * @param {MediaStreamTrack | null} track
   */
  async publish(source, track) {
    if (track === null) this.#wanted.delete(source);
    else this.#wanted.set(source, track);
    await this.#sendWanted(source);
  }

  raiseHand() {
    return this.#request("raiseHand");
  }
  lowerHand() {
    return this.#request("lowerHand");
  }
  acceptInvite() {
    return this.#request("acceptInvite");
  }
  declineInvite() {
    return this.#request("declineInvite");
  }
  /**
   * Mutes or unmutes ourselves.
   * @param {MuteKind} kind
   * @param {boolean} muted
   */
  mute(kind, muted) {
    return this.#request("selfMute", { kind, muted });
  }
  /** @param {string} participant @param {"cohost" | "speaker"} [role] */
  promote(participant, role = "speaker") {
    return this.#request("promote", { participant, role });
  }
  /** Takes somebody, or ourselves, off the stage. @param {string} participant */
  demote(participant) {
    return this.#request("demote", { participant });
  }
  /** @param {string} participant */
  approveHand(participant) {
    return this.#request("approveHand", { participant });
  }
  /** @param {string} participant */
  rejectHand(participant) {
    return this.#request("rejectHand", { participant });
  }
  /** @param {string} participant */
  invite(participant) {
    return this.#request("invite", { participant });
  }
  /** @param {string} participant */
  cancelInvite(participant) {
    return this.#request("cancelInvite", { participant });
  }
  /** @param {string} participant @param {MuteKind} kind @param {boolean} [lock] */
  muteParticipant(participant, kind, lock = false) {
    return this.#request("mute", { participant, kind, lock });
  }
  /** @param {string} participant @param {MuteKind} kind */
  unlock(participant, kind) {
    return this.#request("unlock", { participant, kind });
  }
  /** @param {{ exceptRoles?: string[], lock?: boolean }} [options] */
  muteAll({ exceptRoles = ["host"], lock = false } = {}) {
    return this.#request("muteAll", { exceptRoles, lock });
  }
  /** @param {string} participant */
  requestUnmute(participant) {
    return this.#request("requestUnmute", { participant });
  }
  /** @param {string} participant */
  remove(participant) {
    return this.#request("remove", { participant });
  }
  /** @param {string[]} participants */
  spotlight(participants) {
    return this.#request("spotlight", { participants });
  }
  endRoom() {
    return this.#request("endRoom");
  }
  /** Fixes our main picture to somebody, or follows the programme. @param {string | null} participant */
  pin(participant) {
    return this.#request("pin", { participant });
  }
  /** Audio-only mode. @param {boolean} wanted */
  wantVideo(wanted) {
    return this.#request("video", { wanted });
  }
  /** @param {string} topic @param {string} payload @param {string | null} [to] */
  sendData(topic, payload, to = null) {
    return this.#request("data", { topic, payload, to });
  }

  /**
   * Reads a page of participants.
   *
   * @param {"audience" | "stage" | "all"} [filter]
   * @param {string | null} [pageToken]
   * @returns {Promise<{ participants: Participant[], nextPageToken: string | null, total: number }>}
   */
  async participants(filter = "audience", pageToken = null) {
    const page = await this.#request("listParticipants", { filter, pageToken });
    for (const each of page.participants) remember(this.#audience, each, this.participant);
    return page;
  }

  /** Leaves the room. */
  async leave() {
    this.#closed = true;
    try {
      await this.#request("leave");
    } catch {
      // The connection is gone already: so are we.
    }
    this.#tearDown();
    this.#emit("closed", "left");
  }

  /** @param {string} type @param {Record<string, unknown>} [fields] */
  #request(type, fields) {
    if (this.#signaling === null) {
      return Promise.reject(new EstradeError("disconnected", "Not connected to the room."));
    }
    return this.#signaling.request(type, fields);
  }

  /** @param {Signaling} signaling */
  async #openMedia(signaling) {
    const media = new MediaConnection({
      thumbnails: this.#options.thumbnails ?? 0,
      videoCodec: this.#options.videoCodec,
    });
    this.#media = media;
    for (const { id, track } of media.slots) {
      const kind = /** @type {"audio" | "video"} */ (track.kind);
      this.#slots.set(id, { id, kind, track, participant: null, source: null });
    }
    media.onstate = (state) => {
      if (state === "failed" && this.#media === media) void this.#restartIce(signaling, media);
    };
    await media.negotiate(async (sdp) => (await signaling.request("offer", { sdp })).sdp);
    for (const slot of this.#slots.values()) this.#emit("slot", slot);
    await Promise.all([...this.#wanted.keys()].map((source) => this.#sendWanted(source)));
  }

  /** @param {Signaling} signaling @param {MediaConnection} media */
  async #restartIce(signaling, media) {
    try {
      await media.restartIce(
        async (fragment) => (await signaling.request("iceRestart", { fragment })).fragment,
      );
    } catch {
      signaling.close();
    }
  }

  /** @param {SourceKind} source */
  async #sendWanted(source) {
    const track = this.permits[source] ? (this.#wanted.get(source) ?? null) : null;
    await this.#media?.send(source, track);
  }

  /** @param {any} message */
  #receive(message) {
    this.#rules[message.type]?.(message);
  }

  /** What to do on each kind of message. @type {Record<string, (message: any) => void>} */
  #rules = {
    welcome: ({ participant, state, permits }) => {
      this.participant = participant;
      this.state = state;
      this.permits = permits;
      this.#emit("state", state);
      this.#emit("permits", permits);
    },
    state: ({ state }) => {
      this.state = state;
      this.#emit("state", state);
    },
    event: (message) => {
      const { kind, participant } = message.event;
      if (kind === "participantJoined") remember(this.#audience, participant, this.participant);
      if (kind === "stageLeft") this.#keepInAudience(participant);
      if (!apply(this.state, message, (id) => this.#audience.get(id))) return;
      if (kind === "participantLeft") this.#audience.delete(participant);
      this.#emit("event", message);
      this.#emit("state", this.state);
      if (participant === this.participant && kind === "unmuteRequested") {
        this.#emit("unmuterequested", null);
      }
      if (participant === this.participant && kind === "stageInvited") this.#emit("invited", null);
    },
    permits: ({ microphone, camera, screen }) => {
      this.permits = { microphone, camera, screen };
      for (const source of this.#wanted.keys()) void this.#sendWanted(source);
      this.#emit("permits", this.permits);
    },
    slot: ({ slot: id, participant, source }) => {
      const slot = this.#slots.get(id);
      if (slot === undefined) return;
      slot.participant = participant;
      slot.source = source;
      this.#emit("slot", slot);
    },
    speaking: ({ speaking }) => this.#emit("speaking", speaking),
    audience: ({ count }) => {
      this.state.audienceCount = count;
      this.#emit("audience", count);
    },
    data: ({ from, topic, payload }) => {
      this.#emit("data", { from, topic, payload });
    },
    speakingWhileMuted: () => this.#emit("speakingwhilemuted", null),
    closed: ({ reason }) => {
      if (this.#closed || !FINAL_REASONS.has(reason)) return;
      this.#closed = true;
      this.#tearDown();
      this.#emit("closed", reason);
    },
  };

  /** @param {string} id */
  #keepInAudience(id) {
    const who = this.find(id);
    if (!who) return;
    const permits = { microphone: false, camera: false, screen: false };
    const left = { ...who, permits, stage: "audience", role: "listener", sources: [] };
    remember(this.#audience, /** @type {Participant} */ (left), this.participant);
  }

  /** @param {Signaling} signaling */
  #lost(signaling) {
    if (this.#closed || this.#joining || signaling !== this.#signaling) return;
    if (this.#options.reconnect === false) {
      this.#closed = true;
      this.#tearDown();
      this.#emit("closed", "disconnected");
      return;
    }
    this.#tearDown();
    this.#emit("connection", "reconnecting");
    void this.#comeBack();
  }

  async #comeBack() {
    for (let attempt = 0; attempt < RECONNECT_ATTEMPTS_MAX && !this.#closed; attempt++) {
      const wait = RECONNECT_WAITS_MS[Math.min(attempt, RECONNECT_WAITS_MS.length - 1)] ?? 0;
      await new Promise((resolve) => setTimeout(resolve, wait));
      try {
        await this.join();
        return;
      } catch (error) {
        if (!(error instanceof EstradeError) || !isTransient(error.code)) break;
      }
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#tearDown();
    this.#emit("closed", "disconnected");
  }

  #tearDown() {
    const signaling = this.#signaling;
    this.#signaling = null;
    if (signaling) {
      // What an old connection still has to say, that another took its place above all, is no news.
      signaling.onmessage = () => {};
      signaling.onclose = () => {};
      signaling.close();
    }
    this.#media?.close();
    this.#media = null;
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/**
 * Whether trying again may help.
 *
 * @param {string} code
 */
function isTransient(code) {
  const transient = ["unreachable", "disconnected", "timeout", "unavailable", "server_shutdown"];
  return transient.includes(code);
}
