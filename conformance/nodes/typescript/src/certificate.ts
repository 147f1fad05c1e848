// The acceptor's self-signed certificate (FRAME-3): an ECDSA P-256 key and the common name `snow-node`.
// X.509 of this one kind is a dozen DER values; the keys and the signature are node:crypto's.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

function der(tag: number, ...contents: Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const header = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), content]);
}

const sequence = (...contents: Buffer[]) => der(0x30, ...contents);
const integer = (bytes: Buffer) => der(0x02, bytes);
const bits = (bytes: Buffer) => der(0x03, Buffer.from([0]), bytes);
const time = (at: Date) => der(0x18, Buffer.from(`${at.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`));

const ECDSA_WITH_SHA256 = sequence(der(0x06, Buffer.from('2a8648ce3d040302', 'hex')));
const COMMON_NAME = der(0x06, Buffer.from('550403', 'hex'));
const VERSION_3 = der(0xa0, integer(Buffer.from([2])));
const DAY = 86_400_000;

export interface Identity {
  /** PEM. */
  key: string;
  cert: string;
}

export function selfSigned(commonName: string, now: Date): Identity {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName)))));
  // Positive, and without a leading zero byte, whatever is drawn.
  const serial = integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)]));
  const validity = sequence(time(new Date(now.getTime() - DAY)), time(new Date(now.getTime() + 3650 * DAY)));
  const publicInfo = publicKey.export({ type: 'spki', format: 'der' });
  const toSign = sequence(VERSION_3, serial, ECDSA_WITH_SHA256, name, validity, name, publicInfo);
  const certificate = sequence(toSign, ECDSA_WITH_SHA256, bits(sign('sha256', toSign, privateKey)));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  };
}
