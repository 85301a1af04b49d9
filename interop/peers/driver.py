"""What every driver in Python does alike: it looks at what was decoded, and makes messages that differ. The line protocol is that of driver.mjs."""

import array

WIDTH, HEIGHT, RATE, TONE = 320, 240, 48000, 440


class Result:
    """How many pictures, or tenths of a second, were decoded, were right, and differed."""

    def __init__(self):
        self.samples = array.array("h")
        self.reset()

    def reset(self):
        self.received = self.right = 0
        self.seen = set()

    def told(self):
        return {"received": self.received, "right": self.right, "different": len(self.seen)}

    def look(self, row, width):
        """At a row of a picture: its left half is dark, its right half bright."""
        dark, bright = row[width // 4], row[width * 3 // 4]
        self.received += 1
        self.right += bright - dark > 80
        self.seen.add(dark)

    def listen(self, samples):
        """To 16-bit samples of one channel."""
        self.samples.extend(samples)
        while len(self.samples) >= RATE // 10:
            window, self.samples = self.samples[: RATE // 10], self.samples[RATE // 10 :]
            # A tenth of a second of a tone of 440 Hz crosses zero 88 times.
            crossings = sum((a >= 0) != (b >= 0) for a, b in zip(window, window[1:]))
            self.received += 1
            self.right += abs(crossings - TONE // 5) <= 4
            self.seen.add(crossings)


def luminances(number):
    """A row of the picture of this number: the left half is dark, the right half bright, and both become brighter with time."""
    light = number * 2 % 60
    return bytes([30 + light]) * (WIDTH // 2) + bytes([150 + light]) * (WIDTH // 2)


def pattern(length, seed, text):
    if text:
        return "".join(chr(97 + (i * 7 + seed) % 26) for i in range(length))
    return bytes((i * 31 + (i >> 8) + seed) & 255 for i in range(length))


def kind_of(message):
    return "string" if isinstance(message, str) else "binary"
