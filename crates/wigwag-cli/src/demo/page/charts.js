// A small line chart: the last two minutes of one or two numbers, drawn on a canvas in the page's own colours.

const POINTS = 120;
/** What is shown until there is more. */
const POINTS_MIN = 30;

export class Chart {
  /** `series` names the CSS variables of the lines' colours; `floor` is the least that the axis reaches up to. */
  constructor(canvas, series, floor) {
    this.canvas = canvas;
    this.series = series.map((colour) => ({ colour, values: [] }));
    this.floor = floor;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** One number a line, or null where nothing is known. */
  push(...values) {
    this.series.forEach((line, index) => {
      line.values.push(values[index] ?? null);
      if (line.values.length > POINTS) line.values.shift();
    });
    this.draw();
  }

  clear() {
    for (const line of this.series) line.values = [];
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const top = this.top();

    context.strokeStyle = colour("--line");
    context.lineWidth = 1;
    for (const part of [0, 0.5, 1]) {
      const y = Math.round(4 + (height - 8) * part) + 0.5;
      context.beginPath();
      context.moveTo(0, y);
      context.lineTo(width, y);
      context.stroke();
    }
    for (const line of this.series) this.drawLine(context, line.values, colour(line.colour), width, height, top);
    context.fillStyle = colour("--soft");
    context.font = "10px system-ui, sans-serif";
    context.textAlign = "right";
    context.fillText(label(top), width - 2, 13);
  }

  drawLine(context, values, colour, width, height, top) {
    const x = (index) => width - ((values.length - 1 - index) * width) / (Math.max(POINTS_MIN, values.length) - 1);
    const y = (value) => height - 4 - (Math.min(value, top) / top) * (height - 8);
    const known = values.map((value, index) => [value, index]).filter(([value]) => value !== null);
    if (!known.length) return;
    context.beginPath();
    known.forEach(([value, index], number) => context[number ? "lineTo" : "moveTo"](x(index), y(value)));
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.stroke();
    context.lineTo(x(known.at(-1)[1]), height);
    context.lineTo(x(known[0][1]), height);
    context.closePath();
    context.globalAlpha = 0.12;
    context.fillStyle = colour;
    context.fill();
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(x(known.at(-1)[1]) - 2, y(known.at(-1)[0]), 2.5, 0, 7);
    context.fill();
  }

  /** A round number above all values. */
  top() {
    const most = Math.max(this.floor, ...this.series.flatMap((line) => line.values.map((value) => value ?? 0)));
    const power = 10 ** Math.floor(Math.log10(most));
    return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
  }
}

function label(number) {
  return number >= 1000 ? `${number / 1000}k` : String(Number(number.toPrecision(3)));
}
