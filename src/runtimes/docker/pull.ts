import type { Digest } from '../../oci/digest.ts';
import { type ImageSource, type PullProgress, RuntimeError } from '../../ports/runtime-driver.ts';
import { jsonLines } from './demux.ts';
import { type Engine, EngineError } from './engine.ts';
import { wrongPlatform } from './images.ts';
import { isDiskFull } from './refusals.ts';

export interface Pull {
  /** `host:port/team/project/repository`. */
  readonly name: string;
  readonly digest: Digest;
  readonly credentials: ImageSource['credentials'];
  readonly platform: string;
  readonly unpacksZstd: boolean;
  readonly signal?: AbortSignal;
  readonly progress?: (progress: PullProgress) => void;
}

/** A line of the stream that `POST /images/create` answers. */
interface PullLine {
  readonly id?: string;
  readonly status?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** An engine that says nothing for so long will say nothing more; layers are unpacked in seconds. */
const silence = 300_000;

/**
 * Has the engine pull and unpack; of an index, what is for its platform. Rejects with `no-such-image`,
 * `no-such-platform`, `pull-failed`, `disk-full` or `unavailable`.
 */
export async function pull(engine: Engine, options: Pull): Promise<void> {
  const { name, digest, platform, credentials, signal } = options;
  const stream = await engine
    .stream({
      method: 'POST',
      path: '/images/create',
      query: { fromImage: name, tag: digest, platform },
      auth: credentials,
      signal,
      // An engine answers the head once it has reached the registry.
      deadline: silence,
    })
    .catch(async (error) => {
      throw error instanceof EngineError ? await failureOf(engine, options, error.message) : error;
    });
  let timer: NodeJS.Timeout | undefined;
  const layers = new Map<string, { current: number; total: number }>();
  try {
    const quiet = () => stream.destroy(new Error(`the engine was silent for ${silence} ms`));
    timer = setTimeout(quiet, silence);
    for await (const line of jsonLines<PullLine>(stream)) {
      timer.refresh();
      if (line.error) throw await failureOf(engine, options, line.error);
      if (line.status === 'Downloading' && line.id && line.progressDetail?.total) {
        const { current = 0, total } = line.progressDetail;
        layers.set(line.id, { current, total });
        options.progress?.(sum(layers));
      }
    }
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof RuntimeError) throw error;
    const message = `The container engine broke the pull off: ${(error as Error).message}.`;
    throw new RuntimeError('unavailable', message, { cause: error });
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}

function sum(layers: ReadonlyMap<string, { current: number; total: number }>): PullProgress {
  let [bytes, total] = [0, 0];
  for (const layer of layers.values()) {
    bytes += layer.current;
    total += layer.total;
  }
  return { bytes, total };
}

const noZstd =
  '. This engine unpacks no zstd layers: upgrade it to Docker 23 or later, or push the image with gzip layers.';

/** The engines' texts differ by release and image store. */
async function failureOf(engine: Engine, options: Pull, text: string): Promise<RuntimeError> {
  if (/no match(ing manifest)? for|does not (match|provide) the specified platform/i.test(text)) {
    const there = await platformsOf(engine, options);
    return new RuntimeError('no-such-platform', wrongPlatform(there, options.platform));
  }
  if (isDiskFull(text)) return new RuntimeError('disk-full', `The engine's disk is full: ${text}`);
  if (/manifest unknown|not found|no such image|does not exist/i.test(text)) {
    return new RuntimeError('no-such-image', `The engine does not find the image: ${text}`);
  }
  const hint = /invalid tar header/i.test(text) && !options.unpacksZstd ? noZstd : '';
  return new RuntimeError('pull-failed', `The engine cannot pull the image: ${text}${hint}`);
}

/** What the image is for, as the registry tells the engine. */
async function platformsOf(engine: Engine, options: Pull): Promise<string[]> {
  const { name, digest, credentials, signal } = options;
  interface Answer {
    Platforms?: readonly { os?: string; architecture?: string; variant?: string }[];
  }
  const answer = await engine
    .call<Answer>({
      method: 'GET',
      path: `/distribution/${name}@${digest}/json`,
      auth: credentials,
      signal,
    })
    .catch((): Answer => ({}));
  const named = (answer.Platforms ?? [])
    .filter(({ os }) => os && os !== 'unknown')
    .map(({ os, architecture, variant }) => [os, architecture, variant].filter(Boolean).join('/'));
  return named.length > 0 ? named : ['another platform'];
}
