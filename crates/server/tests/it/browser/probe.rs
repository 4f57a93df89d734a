//! What the tests run inside the page: a gate on the microphone, ears and eyes on the slots.

/// Defines `window.probe`. The page itself is the demo page, unchanged.
pub(crate) const PROBE: &str = r#"
window.probe = {
  // Publishes the fake microphone through a gate: closed, only its noise floor passes.
  async publish({ camera = true } = {}) {
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: raw });
    const context = new AudioContext({ sampleRate: 48000 });
    const gate = context.createGain();
    gate.gain.value = 0.003;
    const out = context.createMediaStreamDestination();
    context.createMediaStreamSource(stream).connect(gate).connect(out);
    Object.assign(this, { context, gate, stream });
    this.microphone = out.stream.getAudioTracks()[0];
    await room.publish("microphone", this.microphone);
    if (camera) {
      const picture = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 360, frameRate: 15 } });
      this.camera = picture.getVideoTracks()[0];
      await room.publish("camera", this.camera);
    }
  },
  speak(on) {
    this.gate.gain.value = on ? 1 : 0.003;
  },
  // Sends although the server does not take it: past the SDK, on the peer connection itself.
  async sendAnyway() {
    const sender = room.peerConnection.getTransceivers().filter((t) => t.direction === "sendonly" && t.sender)
      .map((t) => t.sender).find((s) => s.getParameters().encodings.length === 1);
    await sender.replaceTrack(this.microphone);
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings) encoding.active = true;
    await sender.setParameters(parameters);
  },
  async packetsSent(kind) {
    let sum = 0;
    for (const report of (await room.peerConnection.getStats()).values()) {
      if (report.type === "outbound-rtp" && report.kind === kind) sum += report.packetsSent;
    }
    return sum;
  },
  // The pilots (Hz) that stand out over the noise now, in any audio slot.
  async pilots(frequencies) {
    this.ears ??= new AudioContext({ sampleRate: 48000 });
    this.analysers ??= new Map();
    await this.ears.resume();
    for (const slot of room.slots.values()) {
      if (slot.kind !== "audio" || this.analysers.has(slot.track)) continue;
      const analyser = this.ears.createAnalyser();
      analyser.fftSize = 4096;
      analyser.smoothingTimeConstant = 0;
      this.ears.createMediaStreamSource(new MediaStream([slot.track])).connect(analyser);
      this.analysers.set(slot.track, analyser);
    }
    const heard = new Set();
    for (const analyser of this.analysers.values()) {
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      for (const hz of frequencies) {
        const centre = Math.round((hz * 4096) / 48000);
        const peak = Math.max(...bins.slice(centre - 1, centre + 2));
        const around = [...bins.slice(centre - 30, centre - 10), ...bins.slice(centre + 10, centre + 30)]
          .sort((a, b) => a - b)[20];
        if (peak > -70 && peak - around > 15) heard.add(hz);
      }
    }
    return [...heard].sort((a, b) => a - b);
  },
  // Average color of the main picture, and how many frames were decoded.
  picture() {
    const video = document.getElementById("main-video");
    if (video.videoWidth === 0) return null;
    this.canvas ??= new OffscreenCanvas(32, 18);
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0, 32, 18);
    const { data } = context.getImageData(0, 4, 32, 14);
    const sum = [0, 0, 0];
    for (let at = 0; at < data.length; at += 4) for (const c of [0, 1, 2]) sum[c] += data[at + c];
    return sum.map((each) => Math.round(each / (data.length / 4)));
  },
  async inbound(kind) {
    const reports = [];
    for (const report of (await room.peerConnection.getStats()).values()) {
      if (report.type === "inbound-rtp" && report.kind === kind) reports.push(report);
    }
    return reports;
  },
  async audioPackets() {
    return (await this.inbound("audio")).reduce((sum, each) => sum + each.packetsReceived, 0);
  },
  async freezes() {
    const reports = await this.inbound("video");
    return {
      freezes: reports.reduce((sum, each) => sum + (each.freezeCount ?? 0), 0),
      decoded: reports.reduce((sum, each) => sum + (each.framesDecoded ?? 0), 0),
      keyFrames: reports.reduce((sum, each) => sum + (each.keyFramesDecoded ?? 0), 0),
      plis: reports.reduce((sum, each) => sum + (each.pliCount ?? 0), 0),
    };
  },
};
window.negotiations = 0;
"#;
