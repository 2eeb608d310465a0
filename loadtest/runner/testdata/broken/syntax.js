// want: Expected
export default function () { if }
