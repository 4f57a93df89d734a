"""Publishes over WHIP and plays over WHEP with aiortc, a stack of other people.

Prints one JSON line: what the player decoded. Exits non-zero when the server misbehaves over HTTP.
"""

import argparse
import asyncio
import fractions
import json
import math
import time

import aioice.ice
import aiohttp
import av
import numpy
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)

# aioice leaves loopback out; the server under test is there.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]

TONE_HZ = 1_000


class Tone(MediaStreamTrack):
    """A steady tone, interrupted twice a second so that it is no noise floor."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.samples = 0
        self.started = time.monotonic()

    async def recv(self):
        count = 960
        await asyncio.sleep(max(0, self.started + self.samples / 48_000 - time.monotonic()))
        at = (numpy.arange(count) + self.samples) / 48_000
        gate = 1.0 if math.floor(self.samples / 12_000) % 2 == 0 else 0.02
        wave = (numpy.sin(2 * numpy.pi * TONE_HZ * at) * 12_000 * gate).astype(numpy.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = 48_000
        frame.pts = self.samples
        frame.time_base = fractions.Fraction(1, 48_000)
        self.samples += count
        return frame


class Picture(MediaStreamTrack):
    """A blue picture with a moving line, 15 frames a second."""

    kind = "video"

    def __init__(self):
        super().__init__()
        self.count = 0
        self.started = time.monotonic()

    async def recv(self):
        await asyncio.sleep(max(0, self.started + self.count / 15 - time.monotonic()))
        picture = numpy.zeros((240, 320, 3), dtype=numpy.uint8)
        picture[:, :, 2] = 255
        picture[(self.count * 4) % 240, :, :] = 255
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = self.count * 6_000
        frame.time_base = fractions.Fraction(1, 90_000)
        self.count += 1
        return frame


async def exchange(http, url, token, connection):
    """One offer, one answer; returns the session resource's URL."""
    await connection.setLocalDescription(await connection.createOffer())
    headers = {"authorization": f"Bearer {token}", "content-type": "application/sdp"}
    async with http.post(url, data=connection.localDescription.sdp, headers=headers) as response:
        body = await response.text()
        assert response.status == 201, f"{url}: {response.status} {body}"
        assert response.headers["content-type"] == "application/sdp", response.headers
        assert response.headers["etag"], "an ETag"
        location = str(response.url.join(type(response.url)(response.headers["location"])))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=body, type="answer"))
    return location


async def delete(http, location, token):
    async with http.delete(location, headers={"authorization": f"Bearer {token}"}) as response:
        assert response.status == 200, f"DELETE {location}: {response.status}"
    async with http.delete(location, headers={"authorization": f"Bearer {token}"}) as response:
        assert response.status == 404, f"a second DELETE: {response.status}"


class Player:
    """Counts what it decodes."""

    def __init__(self, connection):
        self.audio_frames = 0
        self.video_frames = 0
        self.loudest = 0
        self.color = None
        self.tasks = []
        connection.addTransceiver("audio", direction="recvonly")
        connection.addTransceiver("video", direction="recvonly")
        connection.on("track", lambda track: self.tasks.append(asyncio.ensure_future(self.take(track))))

    async def take(self, track):
        while True:
            try:
                frame = await track.recv()
            except Exception:
                return
            if track.kind == "audio":
                self.audio_frames += 1
                self.loudest = max(self.loudest, int(numpy.abs(frame.to_ndarray()).max()))
            else:
                self.video_frames += 1
                mean = frame.to_ndarray(format="rgb24").mean(axis=(0, 1))
                self.color = [round(float(each)) for each in mean]

    def is_content(self):
        return self.audio_frames > 100 and self.video_frames > 30 and self.loudest > 2_000


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--room", required=True)
    parser.add_argument("--publisher-token", required=True)
    parser.add_argument("--player-token", required=True)
    parser.add_argument("--codec", choices=["VP8", "H264"], default="VP8")
    args = parser.parse_args()

    publisher = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    player = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    publisher.addTrack(Tone())
    sender = publisher.addTrack(Picture())
    prefer(publisher, sender, args.codec)
    async with aiohttp.ClientSession() as http:
        published = await exchange(http, f"{args.url}/whip/{args.room}", args.publisher_token, publisher)
        taken = Player(player)
        played = await exchange(http, f"{args.url}/whep/{args.room}", args.player_token, player)
        deadline = time.monotonic() + 40
        while not taken.is_content() and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
        await delete(http, played, args.player_token)
        await delete(http, published, args.publisher_token)
    await asyncio.gather(publisher.close(), player.close())
    print(
        json.dumps(
            {
                "audio_frames": taken.audio_frames,
                "video_frames": taken.video_frames,
                "loudest": taken.loudest,
                "color": taken.color,
            }
        )
    )


def prefer(connection, sender, codec):
    """Offers one video codec only."""
    from aiortc import RTCRtpSender

    capabilities = RTCRtpSender.getCapabilities("video").codecs
    wanted = [each for each in capabilities if each.mimeType == f"video/{codec}"]
    for transceiver in connection.getTransceivers():
        if transceiver.sender == sender:
            transceiver.setCodecPreferences(wanted)


asyncio.run(main())
