import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import type { ParsedManifest } from '../oci/manifest.ts';

/**
 * BuildKit puts what it attests of an image beside it in the index, as a manifest of no platform:
 * docs/attestations/attestation-storage.md of moby/buildkit.
 */
const referenceType = 'vnd.docker.reference.type';
const referenceDigest = 'vnd.docker.reference.digest';
const predicateType = 'in-toto.io/predicate-type';

/** Whether an index's child is an attestation rather than an image of a platform. */
export function isAttestation({ annotations, platform }: Descriptor): boolean {
  return (
    annotations?.[referenceType] === 'attestation-manifest' ||
    (platform?.os === 'unknown' && platform.architecture === 'unknown')
  );
}

/** The image that it is about, where it says so. */
export function attestedImage({ annotations }: Descriptor): Digest | undefined {
  return parseDigest(annotations?.[referenceDigest] ?? '');
}

/** What an attestation states, such as `https://spdx.dev/Document` or `https://slsa.dev/provenance/v0.2`. */
export function predicateTypesOf({ layers }: ParsedManifest): string[] {
  const types = layers.map(({ annotations }) => annotations?.[predicateType]);
  return [...new Set(types.filter((type) => type !== undefined))];
}
