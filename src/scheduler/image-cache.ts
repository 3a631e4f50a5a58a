import type { Logger } from '../observability/logger.ts';
import type { Clock } from '../ports/clock.ts';
import type { Deployment, DeploymentState, Deployments } from '../ports/functions.ts';
import type { CachedImage, RuntimeDriver } from '../ports/runtime-driver.ts';
import type { InstanceObserver } from './instance.ts';
import type { Timer, Timers } from './timers.ts';

export interface CacheLimits {
  /** Milliseconds since the last use. */
  readonly time: number;
  /** Bytes of all images, unpacked; layers that images share are counted with each. */
  readonly space: number;
}

/** What was prepared or used so lately is about to be: a container may be made of it at this moment. */
const justMs = 10 * 60_000;

/**
 * Images that are to go, first first: those whose time is over, then those that were used least recently until
 * the others fit. Never one that is pinned, in use or was so just now, so what is left may be more than the space.
 */
export function chooseEvictions(
  images: readonly CachedImage[],
  options: {
    /** UTC milliseconds; undefined: not since it was prepared. */
    readonly usedAt: (image: CachedImage) => number | undefined;
    readonly pinned: (image: CachedImage) => boolean;
    readonly limits: CacheLimits;
    readonly now: number;
  },
): CachedImage[] {
  const { limits, now } = options;
  const last = (image: CachedImage) => Math.max(image.preparedAt, options.usedAt(image) ?? 0);
  let size = images.reduce((sum, image) => sum + image.size, 0);
  const free = images
    .filter((image) => !image.inUse && !options.pinned(image) && last(image) < now - justMs)
    .sort((a, b) => last(a) - last(b) || (a.id < b.id ? -1 : 1));
  return free.filter((image) => {
    if (last(image) >= now - limits.time && size <= limits.space) return false;
    size -= image.size;
    return true;
  });
}

export interface ImageCacheDeps {
  readonly driver: Pick<RuntimeDriver, 'images' | 'removeImage'>;
  readonly deployments: Pick<Deployments, 'pointers' | 'findById' | 'inStates'>;
  readonly limits: CacheLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** Milliseconds between two looks. */
  readonly every?: number;
}

/** States of a deployment that is on its way: its image may just have been pulled. */
const underWay: readonly DeploymentState[] = ['queued', 'pending', 'preparing', 'probing'];
const mostUnderWay = 10_000;
const defaultEvery = 60_000;

/** Keeps the images of the host within time and space. It listens to instances to know what is used. */
export class ImageCache implements InstanceObserver {
  readonly #deps: ImageCacheDeps;
  /** By digest, UTC milliseconds; of this process. */
  readonly #used = new Map<string, number>();
  #timer: Timer | undefined;
  #looking: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(deps: ImageCacheDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = this.#deps.timers.after(this.#deps.every ?? defaultEvery, () => {
      this.#looking = this.sweep().finally(() => this.start());
    });
  }

  /** Removes what has to go; gives the bytes. Never rejects: what fails is tried at the next look. */
  async sweep(): Promise<number> {
    const { driver, limits, clock, log } = this.#deps;
    let bytes = 0;
    try {
      const images = await driver.images();
      this.#forget(images);
      const pinned = await this.#pinned();
      const going = chooseEvictions(images, {
        usedAt: ({ digest }) => this.#used.get(digest),
        pinned: ({ digest }) => pinned.has(digest),
        limits,
        now: clock.now(),
      });
      for (const { id, size } of going) {
        if (this.#closed || !(await driver.removeImage(id))) continue;
        bytes += size;
        log.info('an image left the cache', { image: id, size });
      }
    } catch (error) {
      log.warn('the cache of images could not be looked through', { cause: String(error) });
    }
    return bytes;
  }

  changed(event: Parameters<InstanceObserver['changed']>[0]): void {
    this.#used.set(event.view.target.service.digest, event.at);
  }

  pulled(event: Parameters<InstanceObserver['pulled']>[0]): void {
    this.#used.set(event.target.service.digest, event.to);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  /** Digests of what runs in an environment or is being deployed. */
  async #pinned(): Promise<Set<string>> {
    const { deployments } = this.#deps;
    const pointers = await deployments.pointers();
    const ids = new Set(pointers.flatMap(({ deploymentId }) => deploymentId ?? []));
    const live = await Promise.all([...ids].map((id) => deployments.findById(id)));
    const coming = await deployments.inStates(underWay, mostUnderWay);
    const all = [...live, ...coming].filter((one) => one !== undefined);
    return new Set(all.flatMap(digestsOf));
  }

  #forget(images: readonly CachedImage[]): void {
    const there = new Set(images.map(({ digest }) => digest));
    for (const digest of this.#used.keys()) if (!there.has(digest)) this.#used.delete(digest);
  }
}

/** One that is on its way may have no snapshot yet, but the image that it was made for. */
function digestsOf({ snapshot, origin }: Deployment): string[] {
  const digests: string[] = (snapshot?.services ?? []).map(({ digest }) => digest);
  if (origin.type === 'push') digests.push(origin.digest);
  if (origin.type === 'api' && origin.image) digests.push(origin.image.digest);
  return digests;
}

/** The observer, and the cache beside it. */
export function observedBy<T extends InstanceObserver>(cache: ImageCache, observer: T): T {
  return {
    ...observer,
    changed: (event: Parameters<InstanceObserver['changed']>[0]) => {
      cache.changed(event);
      observer.changed(event);
    },
    pulled: (event: Parameters<InstanceObserver['pulled']>[0]) => {
      cache.pulled(event);
      observer.pulled(event);
    },
  };
}
