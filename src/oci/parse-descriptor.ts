import { isJsonObject } from './bounded-json.ts';
import type { Descriptor, Platform } from './descriptor.ts';
import { algorithmOf, type Digest, digestOf, parseDigest } from './digest.ts';
import { refuse } from './errors.ts';
import { quote } from './quote.ts';

/**
 * The descriptor that `value` is (image-spec, descriptor.md). `where` names it in errors: `layers[3]`.
 * Fields that the image-spec does not name are let through unseen; null counts as absent, as some
 * clients write their empty values so. Throws `manifest-invalid`.
 */
export function parseDescriptor(value: unknown, where: string): Descriptor {
  if (!isJsonObject(value)) throw invalid(where, 'must be a descriptor object');
  const digest = parseDescriptorDigest(value.digest, where);
  const size = value.size;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${where}.size`, 'must be a whole number of bytes, 0 or more');
  }
  const mediaType = optionalText(value.mediaType, `${where}.mediaType`);
  if (mediaType === undefined) throw invalid(`${where}.mediaType`, 'must be a media type');
  if (value.data != null) checkData(value.data, digest, size, where);

  const artifactType = optionalText(value.artifactType, `${where}.artifactType`);
  const annotations = parseAnnotations(value.annotations, `${where}.annotations`);
  const urls = parseUrls(value.urls, `${where}.urls`);
  const platform = parsePlatform(value.platform, `${where}.platform`);
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? undefined : { artifactType }),
    ...(annotations === undefined ? undefined : { annotations }),
    ...(urls === undefined ? undefined : { urls }),
    ...(platform === undefined ? undefined : { platform }),
  };
}

/** Throws `manifest-invalid` unless `value` is a map of strings to strings, or absent. */
export function parseAnnotations(
  value: unknown,
  where: string,
): Record<string, string> | undefined {
  if (value == null) return undefined;
  if (!isJsonObject(value)) throw invalid(where, 'must be an object of strings');
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw invalid(`${where}[${quote(key)}]`, 'must be a string');
    }
  }
  return value as Record<string, string>;
}

/** A text that is there; undefined where it is absent, null or empty. Throws `manifest-invalid`. */
export function optionalText(value: unknown, where: string): string | undefined {
  if (value == null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(where, 'must be a string');
  return value;
}

export function invalid(where: string, rule: string) {
  return refuse(
    'manifest-invalid',
    `The manifest is not valid: ${where} ${rule}.`,
    'Push it with a client that follows the OCI image-spec.',
    { field: where },
  );
}

function parseDescriptorDigest(value: unknown, where: string): Digest {
  const digest = typeof value === 'string' ? parseDigest(value) : undefined;
  if (digest === undefined) {
    throw invalid(
      `${where}.digest`,
      'must be sha256: and 64, or sha512: and 128, lower-case hexadecimal digits',
    );
  }
  return digest;
}

/** Embedded content (image-spec, descriptor.md, "Embedded Content") must be the content that is named. */
function checkData(value: unknown, digest: Digest, size: number, where: string): void {
  const field = `${where}.data`;
  if (typeof value !== 'string') throw invalid(field, 'must be a base64 string');
  const data = Buffer.from(value, 'base64');
  if (data.toString('base64') !== value)
    throw invalid(field, 'must be base64 (RFC 4648, section 4)');
  if (data.length !== size) throw invalid(field, `must be ${size} bytes long, as its size says`);
  if (digestOf(data, algorithmOf(digest)) !== digest) {
    throw invalid(field, 'must be the content that its digest names');
  }
}

function parseUrls(value: unknown, where: string): string[] | undefined {
  if (value == null) return undefined;
  if (!Array.isArray(value) || value.some((url) => typeof url !== 'string')) {
    throw invalid(where, 'must be a list of strings');
  }
  return value;
}

function parsePlatform(value: unknown, where: string): Platform | undefined {
  if (value == null) return undefined;
  if (!isJsonObject(value)) throw invalid(where, 'must be an object');
  const os = optionalText(value.os, `${where}.os`);
  const architecture = optionalText(value.architecture, `${where}.architecture`);
  const variant = optionalText(value.variant, `${where}.variant`);
  return {
    ...(os === undefined ? undefined : { os }),
    ...(architecture === undefined ? undefined : { architecture }),
    ...(variant === undefined ? undefined : { variant }),
  };
}
