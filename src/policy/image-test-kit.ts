import { plansWith } from '../config/plans.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { parseManifest } from '../oci/manifest.ts';
import { ociConfig, ociManifest } from '../oci/media-types.ts';
import type { ProjectSettings } from '../ports/projects.ts';
import { checkImage, needsConfig } from './image.ts';

/** Manifests for the tests of `checkImage`. */
export const tar = 'application/vnd.oci.image.layer.v1.tar';
export const gzip = `${tar}+gzip`;
export const zstd = `${tar}+zstd`;
export const docker = 'application/vnd.docker.image.rootfs.diff.tar';
export const foreign = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
export const linux = '{"os":"linux","architecture":"amd64"}';
export const plan = plansWith().hobby;

export type Case = {
  name: string;
  layers?: (string | Partial<Descriptor>)[];
  config?: string;
  configType?: string;
  manifest?: object;
  settings?: ProjectSettings;
};

let made = 0;
export function descriptor(mediaType: string, size = 10): Descriptor {
  return { mediaType, digest: digestOf(Buffer.from(`blob ${made++}`)), size };
}

export function check({ layers = [zstd], config = linux, ...more }: Case) {
  const manifest = {
    schemaVersion: 2,
    config: descriptor(more.configType ?? ociConfig, config.length),
    layers: layers.map((layer) =>
      typeof layer === 'string' ? descriptor(layer) : { ...descriptor(zstd), ...layer },
    ),
    ...more.manifest,
  };
  const parsed = parseManifest(Buffer.from(JSON.stringify(manifest)), ociManifest);
  return checkImage({
    manifest: parsed,
    config: needsConfig(parsed, plan) ? Buffer.from(config) : undefined,
    plan,
    settings: more.settings ?? {},
  });
}
