export { suffixArray as suffixArrayWasm } from '../../native-free/diff/suffix-array.ts';
