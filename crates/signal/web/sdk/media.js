/**
 * The peer connection: one offer for life, slots to receive, transceivers to send.
 *
 * The offer holds every media section the session will ever need, so going on stage, muting and
 * the moving picture are `replaceTrack` and nothing else: `negotiationneeded` is never acted on.
 * The order of the sections is the protocol's: the server assigns slots and sources by it.
 *
 * @module
 */

/** @typedef {import("./types.js").SourceKind} SourceKind */

/** Audio slots asked for: the loudest current speakers. */
const AUDIO_SLOTS = 3;

/**
 * The camera's encodings, lowest first: rungs of about four times the pixels each.
 * They rest until there is a track: an active encoding without one sends padding for ever.
 * @returns {RTCRtpEncodingParameters[]}
 */
const cameraEncodings = () => [
  { rid: "q", active: false, scaleResolutionDownBy: 4, maxBitrate: 150_000 },
  { rid: "h", active: false, scaleResolutionDownBy: 2, maxBitrate: 500_000 },
  { rid: "f", active: false, scaleResolutionDownBy: 1, maxBitrate: 1_700_000 },
];

export class MediaConnection {
  #pc;
  /** @type {Map<SourceKind, RTCRtpTransceiver>} */
  #senders = new Map();
  /** @type {Map<string, RTCRtpTransceiver>} */
  #slots = new Map();

  /** @type {(state: RTCPeerConnectionState) => void} */
  onstate = () => {};

  /**
   * @param {object} options
   * @param {number} options.thumbnails
   * @param {string | undefined} options.videoCodec
   */
  constructor({ thumbnails, videoCodec }) {
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
    this.#pc = pc;
    pc.addEventListener("connectionstatechange", () => this.onstate(pc.connectionState));

    for (let n = 0; n < AUDIO_SLOTS; n++) this.#addSlot(`audio-${n}`, "audio");
    this.#addSlot("main", "video");
    this.#addSlot("second", "video");
    for (let n = 0; n < thumbnails; n++) this.#addSlot(`thumbnail-${n}`, "video");

    this.#addSender("microphone", "audio", [{ active: false }]);
    this.#addSender("camera", "video", cameraEncodings(), videoCodec);
    this.#addSender("screen", "video", [{ active: false, maxBitrate: 2_500_000 }], videoCodec);
  }

  /** The underlying connection, for `getStats`. */
  get peerConnection() {
    return this.#pc;
  }

  /**
   * The slots, in the order of their media sections.
   * @returns {Array<{ id: string, track: MediaStreamTrack }>}
   */
  get slots() {
    return [...this.#slots].map(([id, transceiver]) => ({ id, track: transceiver.receiver.track }));
  }

  /**
   * Makes the offer, has it answered, applies the answer.
   *
   * @param {(offer: string) => Promise<string>} exchange
   */
  async negotiate(exchange) {
    await this.#pc.setLocalDescription(await this.#pc.createOffer());
    const offer = this.#pc.localDescription?.sdp ?? "";
    const answer = await exchange(offer);
    await this.#pc.setRemoteDescription({ type: "answer", sdp: answer });
  }

  /**
   * Restarts ICE by exchanging credentials only; the description stays as it was answered.
   *
   * @param {(fragment: string) => Promise<string>} exchange
   */
  async restartIce(exchange) {
    const remote = this.#pc.remoteDescription?.sdp;
    if (remote === undefined) return;
    await this.#pc.setLocalDescription(await this.#pc.createOffer({ iceRestart: true }));
    const mine = credentials(this.#pc.localDescription?.sdp ?? "");
    const theirs = credentials(
      await exchange(`a=ice-ufrag:${mine.ufrag}\r\na=ice-pwd:${mine.pwd}\r\n`),
    );
    const sdp = remote
      .replaceAll(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${theirs.ufrag}`)
      .replaceAll(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${theirs.pwd}`);
    await this.#pc.setRemoteDescription({ type: "answer", sdp });
  }

  /**
   * Sends a track as one of our sources, or nothing.
   *
   * @param {SourceKind} source
   * @param {MediaStreamTrack | null} track
   */
  async send(source, track) {
    const sender = this.#senders.get(source)?.sender;
    if (sender === undefined) return;
    await sender.replaceTrack(track);
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = track !== null;
    await sender.setParameters(parameters);
  }

  close() {
    this.#pc.close();
  }

  /**
   * @param {string} id
   * @param {"audio" | "video"} kind
   */
  #addSlot(id, kind) {
    this.#slots.set(id, this.#pc.addTransceiver(kind, { direction: "recvonly" }));
  }

  /**
   * @param {SourceKind} source
   * @param {"audio" | "video"} kind
   * @param {RTCRtpEncodingParameters[]} sendEncodings
   * @param {string} [codec]
   */
  #addSender(source, kind, sendEncodings, codec) {
    const transceiver = this.#pc.addTransceiver(kind, { direction: "sendonly", sendEncodings });
    this.#senders.set(source, transceiver);
    const wanted = `video/${codec}`.toLowerCase();
    const codecs = RTCRtpReceiver.getCapabilities(kind)?.codecs ?? [];
    const preferred = codecs.filter((each) => each.mimeType.toLowerCase() === wanted);
    if (preferred.length === 0 || !("setCodecPreferences" in transceiver)) return;
    const others = codecs.filter((each) => each.mimeType.toLowerCase() !== wanted);
    transceiver.setCodecPreferences([...preferred, ...others]);
  }
}

/**
 * The first ICE credentials in a description or fragment.
 *
 * @param {string} sdp
 */
function credentials(sdp) {
  return {
    ufrag: /^a=ice-ufrag:(.*?)\r?$/m.exec(sdp)?.[1] ?? "",
    pwd: /^a=ice-pwd:(.*?)\r?$/m.exec(sdp)?.[1] ?? "",
  };
}
