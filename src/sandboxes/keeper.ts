/**
 * A program that does nothing for as long as a sandbox lives, for images that have none, not even a shell: it lets
 * the kernel clear away orphans (SIGCHLD ignored) and waits. Linux, no libraries; ELF-64 with one segment.
 */
export function keeperProgram(architecture: string): Buffer | undefined {
  const program = programs[architecture];
  if (!program) return undefined;
  const { machine, code } = program;
  const size = headers + code.length + action.length;
  const head = Buffer.alloc(headers);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(head);
  head.writeUInt16LE(2, 16); // executable
  head.writeUInt16LE(machine, 18);
  head.writeUInt32LE(1, 20);
  head.writeBigUInt64LE(BigInt(base + headers), 24); // where it begins
  head.writeBigUInt64LE(64n, 32); // program headers
  head.writeUInt16LE(64, 52);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(1, 64); // to be loaded
  head.writeUInt32LE(5, 68); // read, execute
  head.writeBigUInt64LE(BigInt(base), 80);
  head.writeBigUInt64LE(BigInt(base), 88);
  head.writeBigUInt64LE(BigInt(size), 96);
  head.writeBigUInt64LE(BigInt(size), 104);
  head.writeBigUInt64LE(0x10000n, 112); // alignment: the largest page there is
  return Buffer.concat([head, code, action]);
}

const base = 0x400000;
/** Of the file, and of its one segment. */
const headers = 64 + 56;

/** `struct sigaction` of the kernel: SIG_IGN, no flags, an empty mask. */
const action = Buffer.alloc(32);
action[0] = 1;

const programs: Readonly<Record<string, { machine: number; code: Buffer }>> = {
  amd64: {
    machine: 62,
    code: Buffer.from(
      [
        'b80d000000', // mov eax, 13 (rt_sigaction)
        'bf11000000', // mov edi, 17 (SIGCHLD)
        '488d3517000000', // lea rsi, [action]
        '31d2', // xor edx, edx
        '41ba08000000', // mov r10d, 8
        '0f05', // syscall
        'b822000000', // mov eax, 34 (pause)
        '0f05', // syscall
        'ebf7', // again
        '90909090',
      ].join(''),
      'hex',
    ),
  },
  arm64: {
    machine: 183,
    code: words(
      0xd2800220, // mov x0, 17 (SIGCHLD)
      0x100001a1, // adr x1, action
      0xd2800002, // mov x2, 0
      0xd2800103, // mov x3, 8
      0xd28010c8, // mov x8, 134 (rt_sigaction)
      0xd4000001, // svc
      0xd2800000, // mov x0, 0
      0xd2800001, // mov x1, 0
      0xd2800002, // mov x2, 0
      0xd2800003, // mov x3, 0
      0xd2800928, // mov x8, 73 (ppoll)
      0xd4000001, // svc
      0x17fffffa, // again
      0xd503201f, // nop
    ),
  },
};

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}
