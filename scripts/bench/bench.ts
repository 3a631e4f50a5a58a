import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findVersitygw, type S3Server, startVersitygw } from '../../conformance/tools/versitygw.ts';
import { type BigImage, makeBigImage } from './image.ts';
import type { Figure, RowResult } from './report.ts';
import { makeSmallImage, project, pushSmallImage, pushTags, type SmallImage } from './seed.ts';
import { missingPeer, type Server, startDistribution, startGantry } from './servers.ts';

/** How much of everything. */
export interface Scale {
  readonly rounds: number;
  /** Of each turn under load. */
  readonly seconds: number;
  /** Tags of the repository that reads are measured in. */
  readonly manyTags: number;
  /** Tags that are pushed to see whether the rate stays. */
  readonly flatTags: number;
  readonly imageBytes: number;
  readonly putBytes: number;
  readonly getBytes: number;
}

export interface Row {
  readonly name: string;
  readonly title: string;
  run(bench: Bench): Promise<Outcome>;
}

export interface Outcome {
  readonly figures: readonly Figure[];
  readonly notes?: readonly string[];
  readonly missing?: string;
}

export interface Pair {
  readonly servers: readonly Server[];
  readonly image: SmallImage;
}

export interface S3Pair extends Pair {
  readonly s3: S3Server;
}

/** The repository that both servers hold a small image in. */
export const smallRepository = `${project}/app`;

/** The same with `manyTags` tags. */
export const manyRepository = `${project}/many`;

/** What rows share. Everything is started where a row first asks for it, and ended by `close`. */
export class Bench {
  readonly scale: Scale;
  readonly folder: string;
  readonly #made: (() => Promise<void>)[] = [];
  #files: Promise<Pair> | undefined;
  #s3: Promise<S3Pair> | undefined;
  #many: Promise<Pair> | undefined;
  #image: Promise<BigImage> | undefined;
  #layouts = 0;

  private constructor(scale: Scale, folder: string) {
    this.scale = scale;
    this.folder = folder;
  }

  static async open(scale: Scale): Promise<Bench> {
    return new Bench(scale, await mkdtemp(join(tmpdir(), 'gantry-bench-')));
  }

  /** Both servers, or Gantry alone where there is no peer, on the filesystem. */
  files(): Promise<Pair> {
    this.#files ??= this.#start(this.folder);
    return this.#files;
  }

  /** The same on one S3 server; its pulls are redirected by Gantry. */
  s3(): Promise<S3Pair> | { missing: string } {
    const found = findVersitygw();
    if ('missing' in found) return found;
    this.#s3 ??= this.#startS3(found.path);
    return this.#s3;
  }

  /** The servers on the filesystem, once both hold `manyRepository` with its tags. */
  manyTags(): Promise<Pair> {
    this.#many ??= this.#fillMany();
    return this.#many;
  }

  image(): Promise<BigImage> {
    this.#image ??= makeBigImage(join(this.folder, 'image'), this.scale.imageBytes);
    return this.#image;
  }

  freshFolder(): string {
    this.#layouts += 1;
    return join(this.folder, `work-${this.#layouts}`);
  }

  async close(): Promise<void> {
    for (const end of this.#made.splice(0).reverse()) await end();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #fillMany(): Promise<Pair> {
    const pair = await this.files();
    for (const server of pair.servers) {
      await pushSmallImage(server, manyRepository, pair.image);
      const tags = { from: 0, count: this.scale.manyTags };
      await pushTags(server, manyRepository, pair.image, tags);
    }
    return pair;
  }

  async #start(folder: string, s3?: { s3: S3Server; publicEndpoint: string }): Promise<Pair> {
    const servers: Server[] = [];
    for (const start of [startDistribution, startGantry]) {
      if (start === startDistribution && missingPeer() !== undefined) continue;
      const server = await start({ folder, ...s3 });
      this.#made.push(() => server.stop());
      servers.push(server);
    }
    const image = makeSmallImage();
    for (const server of servers) await pushSmallImage(server, smallRepository, image);
    return { servers, image };
  }

  async #startS3(program: string): Promise<S3Pair> {
    const folder = join(this.folder, 's3');
    await mkdir(folder);
    const s3 = await startVersitygw({ program, folder });
    this.#made.push(() => s3.stop());
    const { port } = new URL(s3.endpoint);
    // Another name than the registry's: Gantry redirects to no other.
    const publicEndpoint = `http://localhost:${port}`;
    const pair = await this.#start(join(this.folder, 'on-s3'), { s3, publicEndpoint });
    return { ...pair, s3 };
  }
}

/** The same figure of both servers, taken from what `alternate` gave. */
export function compare(
  medians: ReadonlyMap<string, Readonly<Record<string, number>>>,
  name: string,
  figure: Omit<Figure, 'gantry' | 'peer'>,
): Figure {
  return {
    ...figure,
    gantry: medians.get('gantry')?.[name],
    peer: medians.get('distribution')?.[name],
  };
}

/** A row's result, its failure included: one row that fails does not take the others along. */
export async function runRow(row: Row, bench: Bench): Promise<RowResult> {
  const { name, title } = row;
  try {
    const { figures, notes = [], missing } = await row.run(bench);
    return { row: name, title, figures, notes, ...(missing === undefined ? {} : { missing }) };
  } catch (error) {
    return { row: name, title, figures: [], notes: [], failed: (error as Error).message };
  }
}
