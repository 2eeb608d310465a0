// assert ends the run unless what is as expected.
export function equal(got, want, what) {
  const a = JSON.stringify(got), b = JSON.stringify(want);
  if (a !== b) {
    throw new Error(`${what}: got ${a}, want ${b}`);
  }
}
