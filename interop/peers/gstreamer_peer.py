"""GStreamer's webrtcbin: libnice, OpenSSL's DTLS, libsrtp, usrsctp, libvpx and libopus. What comes back is decoded and looked at.

The line protocol is that of driver.mjs. Requests are served by a thread of their own, GStreamer's threads do the rest.
"""

import array
import json
import os
import re
import sys
import threading
import time
import traceback

import gi

from driver import HEIGHT, RATE, TONE, WIDTH, Result, kind_of, luminances, pattern

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstApp, GstSdp, GstWebRTC  # noqa: E402

PER_SECOND = 25
# By the names of SDP: what makes RTP packets of what goes out. What cannot leave yet is not kept.
SOURCES = {
    "audio": (
        "OPUS",
        f"audiotestsrc is-live=true wave=sine freq={TONE} volume=0.25 ! audio/x-raw,rate={RATE},channels=1 ! queue leaky=downstream max-size-time=40000000 ! opusenc ! rtpopuspay pt={{pt}}",
    ),
    "video": (
        "VP8",
        f"appsrc name=pictures max-buffers=2 leaky-type=downstream is-live=true do-timestamp=true format=time caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={PER_SECOND}/1"
        " ! vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay picture-id-mode=2 pt={pt}",
    ),
}
# What makes of what was decoded that which is looked at.
SINKS = {
    "audio": f"audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate={RATE},channels=1 ! appsink name=sink emit-signals=true sync=false",
    "video": "videoconvert ! video/x-raw,format=I420 ! appsink name=sink emit-signals=true sync=false",
}


class Held:
    """A channel, and what came. Whoever did not open an "echo" channel echoes; all others keep what arrives."""

    def __init__(self, channel, is_ours):
        self.channel, self.messages, self.is_closed = channel, [], False
        self.echoes = not is_ours and channel.get_property("label").startswith("echo")
        channel.connect("on-message-string", lambda _, text: self.received(text or ""))
        channel.connect("on-message-data", lambda _, data: self.received(data.get_data() if data else b""))
        channel.connect("on-close", lambda _: self.close())

    def received(self, message):
        self.send(message) if self.echoes else self.messages.append(message)

    def send(self, message):
        if isinstance(message, str):
            self.channel.emit("send-string", message)
        else:
            self.channel.emit("send-data", GLib.Bytes.new(message))

    def is_open(self):
        return self.channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN

    def close(self):
        self.is_closed = True


def until(condition, what, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.005)


class Driver:
    def __init__(self):
        self.channels, self.candidates, self.results, self.media = {}, [], {}, []

    def hello(self):
        return Gst.version_string().removeprefix("GStreamer ")

    def make(self, stun, media=(), offers=False):
        self.media = list(media)
        self.pipeline = Gst.Pipeline.new()
        self.webrtc = Gst.ElementFactory.make("webrtcbin")
        self.webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.webrtc.set_property("latency", 50)
        self.webrtc.set_property("stun-server", f"stun://{stun}")
        self.webrtc.connect("on-data-channel", lambda _, channel: self.hold(channel, False))
        self.webrtc.connect("on-ice-candidate", lambda _, line, text: self.candidates.append((line, text)))
        self.webrtc.connect("pad-added", lambda _, pad: self.watch(pad))
        self.pipeline.add(self.webrtc)
        self.pipeline.set_state(Gst.State.PLAYING)
        if offers:
            self.add_tracks({"OPUS": 97, "VP8": 96})

    def hold(self, channel, is_ours):
        self.channels[channel.get_property("label")] = Held(channel, is_ours)

    def add_tracks(self, payload_types):
        """Sends what was asked for, under these payload types."""
        for kind in self.media:
            name, source = SOURCES[kind]
            branch = Gst.parse_bin_from_description(source.format(pt=payload_types[name]), True)
            self.pipeline.add(branch)
            caps = f"application/x-rtp,media={kind},encoding-name={name},payload={payload_types[name]}"
            if not branch.link_filtered(self.webrtc, Gst.Caps.from_string(caps)):
                raise RuntimeError(f"webrtcbin takes no {kind}")
            branch.sync_state_with_parent()
            if kind == "video":
                threading.Thread(target=self.draw, args=(branch.get_by_name("pictures"),), daemon=True).start()
        self.media = []

    def draw(self, source):
        number, due = 0, time.monotonic()
        while True:
            picture = luminances(number) * HEIGHT + bytes([128]) * (WIDTH * HEIGHT // 2)
            if source.emit("push-buffer", Gst.Buffer.new_wrapped(picture)) != Gst.FlowReturn.OK:
                return
            number, due = number + 1, due + 1 / PER_SECOND
            time.sleep(max(0, due - time.monotonic()))

    def watch(self, pad):
        """Decodes what arrives on a pad of webrtcbin's."""
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin")
        decoder.connect("pad-added", lambda _, decoded: self.judge(decoded))
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def judge(self, decoded):
        kind = decoded.get_current_caps().get_structure(0).get_name().partition("/")[0]
        result = self.results.setdefault(kind, Result())
        branch = Gst.parse_bin_from_description(SINKS[kind], True)

        def sample(sink):
            sample = sink.emit("pull-sample")
            buffer = sample.get_buffer()
            data, caps = buffer.extract_dup(0, buffer.get_size()), sample.get_caps().get_structure(0)
            if kind == "video":
                width, height = caps.get_value("width"), caps.get_value("height")
                stride = (width + 3) // 4 * 4
                result.look(data[stride * (height // 2) :], width)
            else:
                result.listen(array.array("h", data))
            return Gst.FlowReturn.OK

        branch.get_by_name("sink").connect("new-sample", sample)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        decoded.link(branch.get_static_pad("sink"))

    def open(self, label, init={}):
        options = Gst.Structure.new_empty("options")
        names = {"ordered": "ordered", "protocol": "protocol", "maxRetransmits": "max-retransmits", "maxPacketLifeTime": "max-packet-lifetime"}
        for name, value in init.items():
            options.set_value(names[name], value)
        channel = self.webrtc.emit("create-data-channel", label, options)
        if channel is None:
            raise RuntimeError("webrtcbin made no channel")
        self.hold(channel, True)

    def opened(self, label):
        until(lambda: label in self.channels and self.channels[label].is_open(), f"channel {label} to open")
        channel = self.channels[label].channel
        of = channel.get_property
        limits = {"maxRetransmits": of("max-retransmits"), "maxPacketLifeTime": of("max-packet-lifetime")}
        limits = {name: None if value < 0 else value for name, value in limits.items()}
        return {"id": of("id"), "ordered": of("ordered"), "protocol": of("protocol"), **limits}

    def roundTrip(self, label, length, text=False, seed=1):
        """Sends a message and compares what the other side echoes."""
        held, message = self.channels[label], pattern(length, seed, text)
        at = len(held.messages)
        held.send(message)
        until(lambda: len(held.messages) > at, f"the echo of {length} bytes on {label}")
        echo = held.messages[at]
        if echo != message:
            raise ValueError(f"{length} bytes came back as {type(echo).__name__} of {len(echo)}")
        return {"length": length, "kind": kind_of(echo)}

    def burst(self, label, count):
        """Sends `count` different messages at once; how many different ones came back."""
        held = self.channels[label]
        for number in range(count):
            held.send(number.to_bytes(2, "big"))
        until(lambda: len(held.messages) >= count, f"{count} echoes")
        return len(set(held.messages))

    def kept(self, label, count):
        """Of what kind and length the first `count` messages were that came on a channel which does not echo."""
        held = self.channels[label]
        until(lambda: len(held.messages) >= count, f"{count} messages on {label}")
        return [{"kind": kind_of(it), "length": len(it)} for it in held.messages[:count]]

    def closeChannel(self, label):
        self.channels[label].channel.emit("close")

    def closed(self, label):
        until(lambda: self.channels[label].is_closed, f"channel {label} to close")

    def state(self, name):
        return self.webrtc.get_property(name).value_nick

    def connected(self):
        until(lambda: self.state("connection-state") == "connected", f"the state connected; it is {self.state('connection-state')}")

    def promise(self, signal, *arguments):
        """Asks for what webrtcbin does in its own time, and waits for it."""
        promise = Gst.Promise.new()
        self.webrtc.emit(signal, *arguments, promise)
        if promise.wait() != Gst.PromiseResult.REPLIED:
            raise RuntimeError(f"{signal} was not answered")
        reply = promise.get_reply()
        if reply is not None and reply.has_field("error"):
            raise RuntimeError(f"{signal}: {reply.get_value('error').message}")
        return reply

    def set_remote(self, kind, sdp):
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        self.promise("set-remote-description", GstWebRTC.WebRTCSessionDescription.new(kind, message))

    def describe(self, what, waits):
        # What it replies with does not outlive the reply.
        reply = self.promise(f"create-{what}", None)
        self.promise("set-local-description", reply.get_value(what))
        return self.gathered() if waits else self.local()

    def local(self):
        return self.webrtc.get_property("local-description").sdp.as_text()

    def offer(self, waits=True):
        # What has no format yet would be offered without one.
        until(lambda: all(pad.get_current_caps() for pad in self.webrtc.sinkpads), "the formats of what is sent")
        return self.describe("offer", waits)

    def answer(self, sdp, waits=True):
        self.set_remote(GstWebRTC.WebRTCSDPType.OFFER, sdp)
        types = {name.upper(): int(pt) for pt, name in reversed(re.findall(r"a=rtpmap:(\d+) (\w+)/", sdp))}
        self.add_tracks(types)
        return self.describe("answer", waits)

    def accept(self, sdp):
        self.set_remote(GstWebRTC.WebRTCSDPType.ANSWER, sdp)

    def gathered(self):
        until(lambda: self.state("ice-gathering-state") == "complete", "candidates")
        return self.local()

    def takeCandidates(self):
        taken, self.candidates = self.candidates, []
        return [{"candidate": text, "sdpMLineIndex": line} for line, text in taken] + [None]

    def addCandidate(self, candidate):
        if candidate:
            self.webrtc.emit("add-ice-candidate", candidate["sdpMLineIndex"], candidate["candidate"])

    def play(self, ms):
        """What was decoded in `ms`, after the first came that is what was sent."""
        until(lambda: self.results, "media")
        for kind, result in list(self.results.items()):
            until(lambda: result.right > 0, f"decoded {kind} that is what was sent")
        for result in self.results.values():
            result.reset()
        time.sleep(ms / 1000)
        return {kind: result.told() for kind, result in self.results.items()}

    def close(self):
        self.pipeline.set_state(Gst.State.NULL)


def serve():
    driver = Driver()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": getattr(driver, request.pop("do"))(**request)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), flush=True)
    os._exit(0)


Gst.init(None)
threading.Thread(target=serve, daemon=True).start()
GLib.MainLoop().run()
