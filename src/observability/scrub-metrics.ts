import { Counter, Gauge, type Registry } from 'prom-client';

/** Of what this process read anew; `found` is of the installation. */
export class ScrubMetrics {
  readonly #bytes: Counter<string>;
  readonly #blobs: Counter<string>;
  readonly #manifests: Counter<string>;
  readonly #found: Gauge<string>;

  constructor(registers: Registry[]) {
    this.#bytes = new Counter({
      name: 'gantry_scrub_bytes_total',
      help: 'Bytes that were read anew, to compare them with their digests.',
      registers,
    });
    this.#blobs = new Counter({
      name: 'gantry_scrub_blobs_total',
      help: 'Blobs that were read anew, by what they were: whole, damaged, unreadable.',
      labelNames: ['outcome'],
      registers,
    });
    this.#manifests = new Counter({
      name: 'gantry_scrub_manifests_total',
      help: 'Manifests that were read anew, by what they were: whole, damaged.',
      labelNames: ['outcome'],
      registers,
    });
    this.#found = new Gauge({
      name: 'gantry_damaged_content',
      help: 'What is damaged now, by kind: blob (quarantined), manifest, unreadable (a blob that could not be read).',
      labelNames: ['kind'],
      aggregator: 'max',
      registers,
    });
  }

  bytes(count: number): void {
    this.#bytes.inc(count);
  }

  blob(outcome: string): void {
    this.#blobs.inc({ outcome });
  }

  manifest(outcome: string): void {
    this.#manifests.inc({ outcome });
  }

  found(counts: { quarantined: number; manifests: number; unreadable: number }): void {
    this.#found.set({ kind: 'blob' }, counts.quarantined);
    this.#found.set({ kind: 'manifest' }, counts.manifests);
    this.#found.set({ kind: 'unreadable' }, counts.unreadable);
  }
}
