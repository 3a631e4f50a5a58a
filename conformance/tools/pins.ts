/**
 * What the suites run that is not ours: programs built from pinned Go modules, and Debian's packages. Those
 * of PyPI are in python.ts.
 */

/** A program, or a few that belong together, built from the module folder `modules/<name>`. */
export interface GoTool {
  readonly name: string;
  /** Version of the module that the programs come from, as in the folder's go.mod. */
  readonly version: string;
  /** Import paths of the main packages; the last path element is the program's name unless `rename` says otherwise. */
  readonly packages: readonly string[];
  /** Whose version it is, where the main package is our own, in `modules/<name>/main.go`. */
  readonly module?: string;
  readonly tags?: string;
  /** Go variables set by the linker, so that the program tells its version. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Built only when it is named: no test needs it. */
  readonly onlyByName?: boolean;
  /** Debian packages that have to be there before it can be built. */
  readonly needs?: readonly string[];
}

export const goTools: readonly GoTool[] = [
  {
    name: 'crane',
    version: 'v0.22.1',
    packages: ['github.com/google/go-containerregistry/cmd/crane'],
  },
  { name: 'regctl', version: 'v0.11.7', packages: ['github.com/regclient/regclient/cmd/regctl'] },
  {
    name: 'versitygw',
    version: 'v1.8.0',
    packages: ['github.com/versity/versitygw/cmd/versitygw'],
  },
  {
    name: 'compose',
    version: 'v2.16.2',
    // The library by which docker compose reads files, and what `config` does with it.
    module: 'github.com/compose-spec/compose-go/v2',
    packages: ['gantry/conformance/tools/compose'],
  },
  {
    name: 'rclone',
    version: 'v1.75.1',
    // With what bucket volumes need, and no more.
    module: 'github.com/rclone/rclone',
    packages: ['gantry/conformance/tools/rclone'],
    variables: { 'github.com/rclone/rclone/fs.Version': 'v1.75.1' },
  },
  {
    name: 'runc',
    version: 'v1.3.4',
    packages: ['github.com/opencontainers/runc'],
    tags: 'seccomp',
    variables: { 'main.version': '1.3.4' },
    needs: ['gcc', 'libc6-dev', 'libseccomp-dev', 'pkg-config'],
  },
  { name: 'helm', version: 'v3.22.0', packages: ['helm.sh/helm/v3/cmd/helm'] },
  {
    name: 'docker-cli',
    version: 'v29.7.2',
    packages: ['github.com/docker/cli/cmd/docker'],
    variables: { 'github.com/docker/cli/cli/version.Version': '29.7.2' },
  },
  { name: 'buildx', version: 'v0.30.1', packages: ['github.com/docker/buildx/cmd/buildx'] },
  {
    name: 'buildkit',
    version: 'v0.26.3',
    packages: ['github.com/moby/buildkit/cmd/buildkitd', 'github.com/moby/buildkit/cmd/buildctl'],
  },
  {
    name: 'containerd',
    version: 'v2.4.2',
    packages: [
      'github.com/containerd/containerd/v2/cmd/containerd',
      'github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2',
      'github.com/containerd/containerd/v2/cmd/ctr',
    ],
  },
  {
    name: 'moby',
    version: 'v2.0.0-beta.24',
    packages: ['github.com/moby/moby/v2/cmd/dockerd'],
  },
  {
    name: 'cosign',
    version: 'v2.6.5',
    packages: ['github.com/sigstore/cosign/v2/cmd/cosign'],
  },
  {
    name: 'distribution',
    version: 'v3.1.2',
    packages: ['github.com/distribution/distribution/v3/cmd/registry'],
    // The peer of `npm run bench`.
    onlyByName: true,
  },
];

/** A Debian package, and the program that shows that it is there however it was installed. */
export interface DebianTool {
  readonly package: string;
  readonly program?: string;
  /** Installed only when it is named: other ways to have it are looked for first. */
  readonly onlyByName?: boolean;
}

export const debianTools: readonly DebianTool[] = [
  { package: 'skopeo', program: '/usr/bin/skopeo' },
  { package: 'buildah', program: '/usr/bin/buildah' },
  { package: 'docker.io', program: '/usr/sbin/dockerd' },
  { package: 'chromium', program: '/usr/bin/chromium' },
  { package: 'busybox-static' },
  { package: 'debootstrap', program: '/usr/sbin/debootstrap' },
  { package: 'containernetworking-plugins' },
  { package: 'postgresql' },
  { package: 'nginx-light', program: '/usr/sbin/nginx' },
  { package: 'iproute2' },
  { package: 'iptables' },
  { package: 'nftables', program: '/usr/sbin/nft' },
  { package: 'fuse3', program: '/usr/bin/fusermount3' },
  { package: 'gcc' },
  { package: 'libc6-dev' },
  { package: 'libseccomp-dev' },
  { package: 'pkg-config' },
  { package: 'python3-venv', onlyByName: true },
];

export function programsOf(tool: GoTool): string[] {
  return tool.packages.map((path) => path.slice(path.lastIndexOf('/') + 1));
}
