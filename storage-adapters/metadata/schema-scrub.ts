/** Tables of the scrub, as schema.ts has the others. */
export interface ScrubSchema {
  /** `quarantined` (reason: digest, size, missing) or `unreadable` (reason: what the store said). */
  blob_faults: {
    digest: string;
    key: string;
    kind: string;
    reason: string;
    size: number;
    found_at: number;
    seen_at: number;
  };
  /** Bytes of manifests that are not their digest's, kept aside. */
  damaged_manifests: { digest: string; bytes: Uint8Array; found_at: number };
  scrub_runs: {
    id: string;
    /** Null: all. */
    repository_id: string | null;
    repository: string | null;
    actor: string;
    /** `running`, `done` or `cancelled`. */
    state: string;
    started_at: number;
    ended_at: number | null;
    total_blobs: number;
    total_bytes: number;
    blobs: number;
    bytes: number;
    quarantined: number;
    repaired: number;
    unreadable: number;
    manifests: number;
  };
  /** That took something away. */
  collection_runs: {
    id: string;
    started_at: number;
    ended_at: number;
    links: number;
    blobs: number;
    bytes: number;
  };
  scrub_state: { name: string; value: string };
}
