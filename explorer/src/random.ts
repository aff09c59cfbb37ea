/** Standard normal numbers: the ziggurat of Marsaglia and Tsang on the generator xoshiro128++ of Blackman and Vigna. */

const LAYERS = 256;
/** Where the tail begins, and the area of each layer: the pair that makes 256 layers equal. */
const TAIL = 3.6541528853610088;
const AREA = 0.00492867323399;

const edges = new Float64Array(LAYERS + 1);
edges[0] = AREA / Math.exp((-TAIL * TAIL) / 2);
edges[1] = TAIL;
for (let i = 2; i < LAYERS; i++) {
  const inner = edges[i - 1];
  edges[i] = Math.sqrt(-2 * Math.log(AREA / inner + Math.exp((-inner * inner) / 2)));
}

export class Normals {
  private readonly state = new Int32Array(4);

  /** The same seed and stream give the same numbers in every browser. */
  constructor(seed: number, stream: number) {
    let mixed = (Math.imul(seed, 0x9e3779b9) ^ Math.imul(stream + 1, 0x85ebca6b)) | 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e3779b9) | 0;
      let z = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      this.state[i] = z ^ (z >>> 15);
    }
  }

  /** 32 random bits. */
  private bits(): number {
    const s = this.state;
    const sum = (s[0] + s[3]) | 0;
    const result = (((sum << 7) | (sum >>> 25)) + s[0]) | 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result;
  }

  /** A number strictly between 0 and 1. */
  uniform(): number {
    return ((this.bits() >>> 0) + 0.5) / 4294967296;
  }

  /** One normal number, from 24 bits for the place in a layer and 8 others for the layer. */
  next(): number {
    const bits = this.bits();
    const layer = bits & 255;
    const x = (((bits >> 8) + 0.5) / 8388608) * edges[layer];
    return Math.abs(x) < edges[layer + 1] ? x : this.outside(layer, x);
  }

  /** What becomes of a place outside the part of a layer that lies below the density: one in a hundred. */
  private outside(layer: number, x: number): number {
    if (layer === 0) return x > 0 ? this.beyond() : -this.beyond();
    const low = Math.exp((-edges[layer] * edges[layer]) / 2);
    const high = Math.exp((-edges[layer + 1] * edges[layer + 1]) / 2);
    return low + this.uniform() * (high - low) < Math.exp((-x * x) / 2) ? x : this.next();
  }

  /** A number from the tail of the normal law. */
  private beyond(): number {
    for (;;) {
      const x = -Math.log(this.uniform()) / TAIL;
      const y = -Math.log(this.uniform());
      if (2 * y > x * x) return TAIL + x;
    }
  }

  /** Fill an array. */
  fill(target: Float64Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.next();
  }
}
