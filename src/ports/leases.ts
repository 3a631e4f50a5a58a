import type { Awaitable } from './awaitable.ts';

/** Work that one replica at a time does; and each backup, while which the bytes of collected blobs stay. */
export type LeaseName =
  | 'maintenance'
  | 'functions'
  /** Held by one of those that could run functions, so that who does knows that there is another. */
  | 'functions-next'
  | `backup:${string}`;

/** Who leads, as the database has it. */
export interface Lease {
  readonly name: LeaseName;
  /** Id of a process. */
  readonly holder: string;
  /** Grows with each take-over. */
  readonly epoch: number;
  /** Until it may be taken over, by the database's clock; not above 0: it may be. */
  readonly remainingMs: number;
  /** Where other replicas reach the holder: an origin; undefined: it has not said. */
  readonly address: string | undefined;
}

export interface Leases {
  find(name: LeaseName): Awaitable<Lease | undefined>;
}

/** A write with it is refused (`conflict`) where somebody else took the lease over, in the write's own transaction. */
export interface Fence {
  readonly name: LeaseName;
  readonly epoch: number;
}

export interface LeaseCommands {
  /**
   * Takes a lease that nobody holds, or renews one's own, which keeps its epoch even where its time had passed, as
   * long as nobody took it. Undefined: another holds it. Times are the database's.
   */
  AcquireLease: {
    args: { name: LeaseName; holder: string; ttlMs: number; address?: string | undefined };
    result: { epoch: number } | undefined;
  };
  /** Whoever asks next gets it. Nothing happens where it is another's by now. */
  ReleaseLease: { args: { name: LeaseName; holder: string }; result: null };
}

/** What replicas tell each other. A notice that is lost costs a wait (there is a poll behind each), never a fact. */
export interface Notices {
  /** Events up to `position` are there to be read. */
  tellPublished(position: number): void;
  onPublished(listener: (position: number) => void): void;
}
