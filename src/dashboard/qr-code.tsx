// A QR code as SVG, black on white in both colour schemes, since cameras read no other way reliably.
// Source: ISO/IEC 18004.

import { correction, generate } from 'lean-qr/nano';
import { useMemo } from 'preact/hooks';

/** Light modules around the code. */
const MARGIN = 4;

/** @param label what the code carries, for those who do not see it */
export function QrCode({ text, label }: { text: string; label: string }) {
  return useMemo(() => {
    const code = generate(text, { minCorrectionLevel: correction.L });
    const side = code.size + 2 * MARGIN;
    let path = '';
    for (let y = 0; y < code.size; y++) {
      for (let x = 0; x < code.size; x++) {
        if (code.get(x, y)) path += `M${x + MARGIN} ${y + MARGIN}h1v1h-1z`;
      }
    }
    return (
      <svg class="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={label}>
        <path d={path} />
      </svg>
    );
  }, [text, label]);
}
