"""aiortc: pure Python with OpenSSL's DTLS, libvpx and libopus. Pictures and a tone go out, what comes back is decoded and looked at.

The line protocol is that of driver.mjs.
"""

import array
import asyncio
import fractions
import importlib.metadata
import json
import math
import sys
import time
import traceback

import av
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp
from driver import HEIGHT, RATE, TONE, WIDTH, Result, kind_of, luminances, pattern


class Pictures(VideoStreamTrack):
    number = 0

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
        luma, *chroma = frame.planes
        luma.update(luminances(self.number).ljust(luma.line_size, b"\0") * HEIGHT)
        self.number += 1
        for plane in chroma:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    at = 0
    start = None

    async def recv(self):
        block = RATE // 50
        self.start = self.start or time.time()
        await asyncio.sleep(max(0, self.start + self.at / RATE - time.time()))
        angles = (2 * math.pi * TONE * (self.at + i) / RATE for i in range(block))
        frame = av.AudioFrame("s16", "mono", block)
        frame.planes[0].update(array.array("h", (int(8000 * math.sin(angle)) for angle in angles)).tobytes())
        frame.pts, frame.sample_rate, frame.time_base = self.at, RATE, fractions.Fraction(1, RATE)
        self.at += block
        return frame


class Held:
    """A channel, and what came. Whoever did not open an "echo" channel echoes; all others keep what arrives."""

    def __init__(self, channel, is_ours):
        self.channel, self.messages, self.is_closed = channel, [], False
        echoes = not is_ours and channel.label.startswith("echo")
        channel.on("message", channel.send if echoes else self.messages.append)
        channel.on("close", self.close)

    def close(self):
        self.is_closed = True


class Driver:
    def __init__(self):
        self.channels, self.candidates, self.log, self.results = {}, [], [], {}

    async def hello(self):
        return importlib.metadata.version("aiortc")

    async def make(self, stun, media=(), offers=False):
        self.media = list(media)
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[RTCIceServer(f"stun:{stun}")]))
        self.pc.on("connectionstatechange", lambda: self.log.append(self.pc.connectionState))
        self.pc.on("datachannel", lambda channel: self.hold(channel, False))
        self.pc.on("track", lambda track: asyncio.ensure_future(self.watch(track)))
        if offers:
            self.add_tracks()

    def hold(self, channel, is_ours):
        self.channels[channel.label] = Held(channel, is_ours)

    def add_tracks(self):
        for kind in self.media:
            self.pc.addTrack(Tone() if kind == "audio" else Pictures())
        self.media = []

    async def watch(self, track):
        result = self.results[track.kind] = Result()
        try:
            while True:
                frame = await track.recv()
                if track.kind == "video":
                    luma = frame.planes[0]
                    result.look(bytes(luma)[luma.line_size * (frame.height // 2) :], frame.width)
                else:
                    channels = len(frame.layout.channels)
                    result.listen(array.array("h", bytes(frame.planes[0])[: frame.samples * channels * 2])[::channels])
        except MediaStreamError:
            pass

    async def until(self, condition, what, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited in vain for {what}; log: {', '.join(self.log)}")
            await asyncio.sleep(0.005)

    async def open(self, label, init={}):
        self.hold(self.pc.createDataChannel(label, **init), True)

    async def opened(self, label):
        await self.until(lambda: label in self.channels and self.channels[label].channel.readyState == "open", f"channel {label} to open")
        channel = self.channels[label].channel
        names = ["id", "ordered", "protocol", "maxRetransmits", "maxPacketLifeTime"]
        return {name: getattr(channel, name) for name in names}

    async def roundTrip(self, label, length, text=False, seed=1):
        """Sends a message and compares what the other side echoes."""
        held, message = self.channels[label], pattern(length, seed, text)
        at = len(held.messages)
        held.channel.send(message)
        await self.until(lambda: len(held.messages) > at, f"the echo of {length} bytes on {label}")
        echo = held.messages[at]
        if echo != message:
            raise ValueError(f"{length} bytes came back as {type(echo).__name__} of {len(echo)}")
        return {"length": length, "kind": kind_of(echo)}

    async def burst(self, label, count):
        """Sends `count` different messages at once; how many different ones came back."""
        held = self.channels[label]
        for number in range(count):
            held.channel.send(number.to_bytes(2, "big"))
        await self.until(lambda: len(held.messages) >= count, f"{count} echoes")
        return len(set(held.messages))

    async def kept(self, label, count):
        """Of what kind and length the first `count` messages were that came on a channel which does not echo."""
        held = self.channels[label]
        await self.until(lambda: len(held.messages) >= count, f"{count} messages on {label}")
        return [{"kind": kind_of(it), "length": len(it)} for it in held.messages[:count]]

    async def closeChannel(self, label):
        self.channels[label].channel.close()

    async def closed(self, label):
        await self.until(lambda: self.channels[label].is_closed, f"channel {label} to close")

    async def connected(self):
        await self.until(lambda: self.pc.connectionState == "connected", "the state connected")

    async def describe(self, description):
        await self.pc.setLocalDescription(description)
        sdp = self.pc.localDescription.sdp
        # aiortc gathers before it describes, and tells no candidate apart.
        lines = [line[2:] for line in sdp.splitlines() if line.startswith("a=candidate:")]
        self.candidates += [{"candidate": line, "sdpMid": "0"} for line in dict.fromkeys(lines)] + [None]
        return sdp

    async def offer(self, waits=True):
        return await self.describe(await self.pc.createOffer())

    async def answer(self, sdp, waits=True):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        self.add_tracks()
        return await self.describe(await self.pc.createAnswer())

    async def accept(self, sdp):
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def gathered(self):
        return self.pc.localDescription.sdp

    async def takeCandidates(self):
        taken, self.candidates = self.candidates, []
        return taken

    async def addCandidate(self, candidate):
        if candidate:
            parsed = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
            parsed.sdpMid = candidate["sdpMid"]
            await self.pc.addIceCandidate(parsed)

    async def play(self, ms):
        """What was decoded in `ms`, after the first came that is what was sent."""
        for kind, result in self.results.items():
            await self.until(lambda: result.right > 0, f"decoded {kind} that is what was sent")
        for result in self.results.values():
            result.reset()
        await asyncio.sleep(ms / 1000)
        return {kind: result.told() for kind, result in self.results.items()}

    async def close(self):
        await self.pc.close()


async def main():
    driver, reader = Driver(), asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        request = json.loads(line)
        try:
            answer = {"ok": await getattr(driver, request.pop("do"))(**request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)


asyncio.run(main())
