/** What outlives instances, where they run: a part of the driver. */
export interface RuntimeVolumes {
  /**
   * Makes what is missing. Rejects with `invalid-spec` where this place has no such kind, and with `volume-full` where
   * it is a disk that holds more than its limit.
   */
  ensure(volume: VolumeSpec): Promise<void>;
  /**
   * Bytes that a disk may hold from now on; undefined: as many as there is room for. One that is found to hold more has
   * the instances that mount it ended.
   */
  limit(name: string, maxBytes: number | undefined): void;
  /** Bytes that a disk holds; undefined where that cannot be told here. */
  usage(name: string): Promise<number | undefined>;
  /** With all that it holds, for a `disk`; a bucket's objects stay. Rejects with `in-use`. */
  remove(name: string): Promise<void>;
  /** Of this installation, whatever the database knows of them. */
  list(): Promise<readonly RuntimeVolume[]>;
}

/** One as it is found where instances run. */
export interface RuntimeVolume {
  readonly name: string;
  readonly kind: 'disk' | 'bucket';
  /** Whose it was made for, and when (UTC milliseconds), where that can be told. */
  readonly projectId: string | undefined;
  readonly createdAt: number | undefined;
}

export interface VolumeSpec {
  /** Of Gantry's own making: `vol_…`. */
  readonly name: string;
  readonly projectId: string;
  readonly source:
    | { readonly kind: 'disk'; readonly maxBytes?: number | undefined }
    | {
        readonly kind: 'bucket';
        readonly endpoint: string | undefined;
        readonly region: string | undefined;
        readonly bucket: string;
        readonly prefix: string;
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
      };
}
