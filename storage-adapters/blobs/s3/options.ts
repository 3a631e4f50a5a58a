const MiB = 1 << 20;
/** S3: "Amazon S3 multipart upload limits". */
const maxParts = 10_000;
const minPartSize = 5 * MiB;

export interface S3BlobStoreOptions {
  readonly bucket: string;
  /** Folder within the bucket; empty for its root. */
  readonly prefix?: string;
  /** URL of a server that speaks S3; AWS of `region` without it. */
  readonly endpoint?: string;
  /** URL of the same server for clients; its host name must be unrelated to the registry's. */
  readonly publicEndpoint?: string;
  /** Give presigned URLs, where `publicEndpoint` is set, too. */
  readonly redirect?: boolean;
  readonly region?: string;
  /** `endpoint/bucket/key` and not `bucket.endpoint/key`; by default where `endpoint` is set. */
  readonly forcePathStyle?: boolean;
  /** By the SDK's own chain where unset. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Bytes of a part; made larger where `maxLayerSize` would not fit in 10,000 parts. */
  readonly partSize?: number;
  /** Parts of one upload that travel at once. */
  readonly concurrency?: number;
  /** Parts of all uploads that travel at once: with one part that fills for each upload, the bound on memory. */
  readonly maxPartsInFlight?: number;
  /** Bytes of the largest blob that will come. */
  readonly maxLayerSize?: number;
  /** Tries of a request, the first included. */
  readonly maxAttempts?: number;
  /** Milliseconds without a byte either way after which a request is given up and tried again. */
  readonly idleTimeout?: number;
  /** Milliseconds that the server may take to join the parts of a blob. */
  readonly completeTimeout?: number;
  /** Seconds that a presigned URL is good for. */
  readonly linkLifetime?: number;
}

export type S3Settings = Readonly<
  Required<Omit<S3BlobStoreOptions, 'endpoint' | 'publicEndpoint' | 'region' | 'credentials'>> &
    Pick<S3BlobStoreOptions, 'endpoint' | 'publicEndpoint' | 'region' | 'credentials'>
>;

/** Throws a RangeError where a number is outside of what S3 allows. */
export function resolveOptions(options: S3BlobStoreOptions): S3Settings {
  const { maxLayerSize = 20e9, partSize = 8 * MiB, concurrency = 3 } = options;
  if (partSize < minPartSize)
    throw new RangeError(`partSize must be at least ${minPartSize} bytes`);
  return {
    prefix: '',
    redirect: false,
    forcePathStyle: options.endpoint !== undefined,
    maxPartsInFlight: 2 * concurrency,
    maxAttempts: 4,
    idleTimeout: 20_000,
    completeTimeout: 300_000,
    linkLifetime: 600,
    ...options,
    concurrency,
    maxLayerSize,
    partSize: Math.max(partSize, Math.ceil(maxLayerSize / maxParts / MiB) * MiB),
  };
}
