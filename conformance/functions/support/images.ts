/** Images of functions, made FROM scratch without any registry: the test server, and what a test adds. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '../../../src/oci/digest.ts';
import { ociConfig, ociIndex, ociManifest } from '../../../src/oci/media-types.ts';
import {
  type Content,
  dockerArchive,
  type Image,
  type Index,
  noise,
  writeLayout,
} from '../../clients/support/images.ts';
import { must } from '../../clients/support/run.ts';
import type { Sandbox } from '../../clients/support/sandbox.ts';
import { type TarEntry, tar } from '../../clients/support/tar.ts';
import type { FunctionEngine } from './engine.ts';
import { serverProgram } from './server-program.ts';

export interface FunctionImageOptions {
  /** What `GET /` says: `hello from <version>`. Each version is another image. */
  readonly version: string;
  /** Of the test server, see ../server/main.go. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly expose?: readonly number[];
  readonly compression?: 'gzip' | 'zstd';
  readonly platform?: { readonly os: string; readonly architecture: string };
  /** Bytes of a layer that does not compress: an image of that size. */
  readonly extraBytes?: number;
  /** More files, in a layer of their own. */
  readonly files?: readonly TarEntry[];
  /** More of the image's configuration, as OCI names it, such as `StopSignal`. */
  readonly config?: Readonly<Record<string, unknown>>;
}

const layerType = {
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};

export function functionImage(options: FunctionImageOptions): Image {
  const tars = [
    tar([
      { name: 'server', bytes: serverProgram(), mode: 0o755 },
      { name: 'tmp/', mode: 0o1777 },
      { name: 'etc/' },
      { name: 'etc/passwd', bytes: Buffer.from(passwd), mode: 0o644 },
      { name: 'etc/version', bytes: Buffer.from(`${options.version}\n`), mode: 0o644 },
    ]),
    ...(options.files ? [tar(options.files)] : []),
    ...(options.extraBytes
      ? [tar([{ name: 'extra', bytes: noise(options.version, options.extraBytes), mode: 0o644 }])]
      : []),
  ];
  return imageOf(tars, { ...options, entrypoint: ['/server'], cmd: options.args ?? [] });
}

const passwd = 'root:x:0:0:root:/:/none\napp:x:1000:1000:app:/:/none\n';

export interface RawImageOptions extends Omit<FunctionImageOptions, 'args' | 'version' | 'files'> {
  readonly version?: string;
  readonly entrypoint: readonly string[];
  readonly cmd?: readonly string[];
}

/** An image of these layers (tars). */
export function imageOf(tars: readonly Buffer[], options: RawImageOptions): Image {
  const { compression = 'gzip', platform = { os: 'linux', architecture: 'amd64' } } = options;
  const layers = tars.map((bytes) =>
    content(
      layerType[compression],
      compression === 'gzip' ? gzipSync(bytes, { level: 1 }) : zstdCompressSync(bytes),
    ),
  );
  const env = { ...(options.version ? { SERVER_VERSION: options.version } : {}), ...options.env };
  const config = json(ociConfig, {
    ...platform,
    created: '2020-01-01T00:00:00Z',
    config: {
      Entrypoint: options.entrypoint,
      ...(options.cmd?.length ? { Cmd: options.cmd } : {}),
      Env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
      ...(options.user ? { User: options.user } : {}),
      ...(options.workingDir ? { WorkingDir: options.workingDir } : {}),
      ...(options.labels ? { Labels: options.labels } : {}),
      ...(options.expose
        ? { ExposedPorts: Object.fromEntries(options.expose.map((port) => [`${port}/tcp`, {}])) }
        : {}),
      ...options.config,
    },
    rootfs: { type: 'layers', diff_ids: tars.map((bytes) => digestOf(bytes)) },
    history: tars.map((_, at) => ({ created: '2020-01-01T00:00:00Z', created_by: `layer ${at}` })),
  });
  const manifest = json(ociManifest, {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  });
  return { kind: 'image', manifest, config, layers };
}

/** An index of amd64, which runs here, and arm64, whose bytes are the same and never run. */
export function functionIndex(
  options: FunctionImageOptions,
  architectures: readonly string[] = ['arm64', 'amd64'],
): Index {
  const images = architectures.map((architecture) =>
    functionImage({ ...options, platform: { os: 'linux', architecture } }),
  );
  return indexOf(images, architectures);
}

/** An index of these images, each for Linux on its architecture. */
export function indexOf(images: readonly Image[], architectures: readonly string[]): Index {
  const manifest = json(ociIndex, {
    schemaVersion: 2,
    mediaType: ociIndex,
    manifests: images.map((image, at) => ({
      ...image.manifest.descriptor,
      platform: { os: 'linux', architecture: architectures[at] },
    })),
  });
  return { kind: 'index', manifest, images };
}

/** Gives the engine an image under a name, as `docker build` would. */
export async function loadImage(
  engine: FunctionEngine,
  sandbox: Sandbox,
  name: string,
  image: Image,
): Promise<void> {
  const archive = join(sandbox.fresh('load'), 'image.tar');
  if (engine.release.name.includes('20.10')) {
    writeFileSync(archive, dockerArchive(name, image));
  } else {
    const layout = sandbox.fresh('layout');
    writeLayout(layout, name, image);
    await must('tar', ['-C', layout, '-cf', archive, '.'], { env: sandbox.env });
  }
  await engine.docker(['load', '-i', archive]);
}

/** A folder with the server and a Dockerfile FROM scratch, for a real `docker build`. */
export function buildContext(sandbox: Sandbox, dockerfileLines: readonly string[]): string {
  const folder = sandbox.fresh('context');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'server'), serverProgram(), { mode: 0o755 });
  writeFileSync(join(folder, 'Dockerfile'), `${dockerfileLines.join('\n')}\n`);
  return folder;
}

function content(mediaType: string, bytes: Buffer): Content {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

function json(mediaType: string, value: unknown): Content {
  return content(mediaType, Buffer.from(JSON.stringify(value)));
}
