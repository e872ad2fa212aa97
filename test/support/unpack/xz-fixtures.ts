/**
 * Small streams that foreign tools wrote, so that the codecs are tested against them where no tool is; and digests of
 * what the branch filters of xz 5.8 make of `branchCode(4, 200_001)`.
 */
import { branchCode, settings } from './xz.ts';

/** What all the streams unpack to. */
export const FIXTURE_CONTENT = Uint8Array.from([...settings(5, 1500), ...branchCode(6, 150), ...settings(7, 1500)]);

const bytesOf = (...base64: string[]): Uint8Array => new Uint8Array(Buffer.from(base64.join(''), 'base64'));

/** xz -T1 -9e --check=sha256. */
export const XZ_SHA256 = bytesOf(
  ...[
    '/Td6WFoAAArh+wyhAgAhARwAAAAQz1jM4AxNA39dAASbS3Khe2aqHKO/EX9V5iJ/d7esgVBJog3ZsGfNHXXIvanLPvxtPoOTRzLDeYv4kWS8F1',
    'gGx2Uy+h370RN52QZC4oMswVFK+b8CcLPtXjQxbPoIGmHcZ8SDUBluYtsSAnVqmKlVBDnTh0xARGV09kRLh/leXAzX04I/zTa8WnrjTG7dGsRF',
    '0wMIlubNaCMU7c86ZkMsEVv9BF7M8ak+aGZibo+ZvxDjzpdoYaJ+7MPe6PYZK1r2B9rgK88mYEF1t7GYy6RJbaYpAS50EDlgET4FsgExuGFITU',
    'lPAvIHF8/ZonQQP7avsoiYvwRnqqYLf2OY1eCwsmOhbumvmJkH6uwVPTmFdd2CvjAcjeNT8kIZTOgKgh5Pb7hjhADDXORAaSNbUZGhlkd09FYS',
    'mCWh+7UZhaqillIeQA38DBktGM9YGzuiS3g6XontjXUd7E/IvwOiRxflFNfFKk041kEgdVMKp2Ufe2RQLBkzUntBsJxMVzDVtz+eHTXhSAbIJS',
    'c/Dh3kWrSXsJ8Z6aHPfTBaq4R6p3YaZLzRi6DaiZWsq1sdHkC/JuN+ktqNKJt03Ad3xEyIowYHvBXqoTc9cnl5QvTBxfYFKB5adJozvFWdsqzy',
    'vZwAHIYbFnLHjbJiO5FHwT6YkEjD5lQQ4IxlgdbNhS+9bin7tMZ1754D5X222B/B1kQxU/bCpLRgW9RgNflklD1WCsuZGhWd0xY0d3T6YZ3wXI',
    'B2i6vP77VuKmUIL/e/1+gj5mKYH2hJuxP7gTjKHL0gm6X5L6ySD6kT8LcFVE4xdN5L4aLSdNyN268UyBYKcYt4uFSNPMDorkIhcmOsaULSAL0q',
    'gUj+kUr7UxFAZWGN7FNfkybOYWJVLCZ64r/MGj42aV/96SBASHxkxawue8kTBi/hvY/3R2r3P136cFz7e5FT4IwhGe2td2Bt90Oo0rCAwZ9cRQ',
    'ijbXtLhR/UjeGJlYRLnl4GZjIf3zH+fYuZW6csd2gokBg5v93kC9HVIA+oTsXDsRRdVRoa50pp+PAw1/EbrAkClj7K9ycsf83fEcn4gR8H3Ohw',
    'LV0b03YmtzBhr9Kp4MdweVXaUYIpSyQppWV8AmPkFYHwY3zIGVSkAeKjJSGWzz3BYB0FzTNIx2VERFVGjGS0RyYXhj1/hr1GpsRz/dxDzdlBbB',
    '6Gl+ClpCQtPlWo3zT1dD0FUgAAABTFwRkmERWwBRlpsm3OqkXoPlwJCjd8SwnAHYK2PnJSAAGzB84YAADrAoxptunfHAIAAAAAClla',
  ],
);

/** With settings of OpenWrt: xz -T1 --check=crc32 --arm --lzma2=preset=9e,lc=0,lp=2,pb=2,dict=256KiB. */
export const XZ_ARM = bytesOf(
  ...[
    '/Td6WFoAAAFpIt42AgEHACEBDAB4Dowp4AxNA7BsAASaSgYTYJN+Oh4MBi6FysXMX7KK5rUAxwZCjMn1DQ/qb2GtcBQYJvRw8kGAALPtTf5IAp',
    'VTduoN2faUWY+9tbVaOamvmtANkmj46XSpwJKEskbtAtmTUacc2h3kpRCPhGMBouSs4SjIfhklazWcHQiV12k46QUFMrsv/JxEI8R3Z71pOZmz',
    'zY70cvejWfKWDR47+ZuWtBVxzJNelB6oibR90TWREKUmumELRZHP3rp2zoVBzINPVssFuVfdnl3gTlp4lOoTx7+Y4Y/5t8ntIpucGQtD/73dtz',
    'GtUayRyMnNjLIh8GugkQUhY/R9o4Pz7xahFPvHbdkdkk56tr2543yq28vSk3iEn+GUxEpmmNT6xbDVkILNb0dakzY005OHyv1JnghvSbBfhdwH',
    'dteGQQsjAbSXMk2MWfDqzIzc7i+QC/atuQw7LV1iS8aPHVxo5WGgKJu0vBpBtUy6iAC9rtEp9Xvo+4Q7G2P7G3ItVbJKYtNdDok2xBffx+vsQI',
    'qXq1ZyIpdR0Y0NnvcYSxiReRyz3fmEu+H+xR1QApiLqziFgNCBSKNWt+prrX58p/bS9gefiZeaoNNncE90y8LU0SCUvfaSA9quqzjcyHtBciIB',
    '5KX+zGw70H2x2xvF+ebLwCG7Za8fYuLZBS6CAbgc+uQkbMTXA//HiCcONYyszMuuHqkzsrn69TQrQi1nYGvy2Bu5shyr6hU56mqniDVhKDpXJ1',
    'yvgVs9F9pE1Btc+LC9hA7u66a6+LJL40cDju/xZqisyj4Z810kpGTPCW78a6vjvcIMrl+F8wQGtiBEGSuliuDoIy7+9CeI7Jli/IvU0RnMb9BO',
    'gvyEmmbAuquafBJX/bQKyRMPJgDB8yysOHWfkD2Z51BqEcs0jEkHyCRrgWSCssQ4D3ejjLchrGtz+rNaMBUfFHsukVLHb+oNLExjTQVMM/i2t9',
    'HrZhfAUWrixohZhOE+wYOW8+afyC3sQeUtf3hctm+WlCmllSBWPP8KPDIgH+ouQ87OAKJlY8eRLK066zHJHQBy/V6N7BGC4usBj6wXSOLTGmpE',
    '6Dp8jlboSvjW+T0o/em5/XQE0F3//CLqRJ5s/8wjw317JkgiknImdSxeu7S5yAKnTNSi1zr0pVWJ/K5ywCKq5xPWICerrpYpdNoQ5vdCNIF0Is',
    'favZhl6p0zuFZudiT0wdfHJGPEvcijZxJmZng77JzyYGQ30jvHE0REpqxIIZWiHOoJN+XLpPZOKJZFoyokupcjR/NWAC52XLEAAcgHzhgAAOn/',
    'aQg+MA2LAgAAAAABWVo=',
  ],
);

/** Several blocks, lengths in their headers: xz -T2 --block-size=1600 --riscv=start=4096 --lzma2=preset=0. */
export const XZ_RISCV_BLOCKS = bytesOf(
  ...[
    '/Td6WFoAAATm1rRGBMHCBMAMCwQAEAAAIQEMAFZwhcvgBj8COl0ABJtLcqF1hP70Dm+1u/hRPJxXk7shvTZpcsnBVHJP8ruzUlWFTCsl6i+bu6',
    'svRQhwzxFjJL44+03lxcSigWea26UhXVe1R308h4GMf32JqoORrBNeuC3Hh4qV7dpVx2Kj5jdMt3iUHfhJCaGBN6XrLUAm8+j+/H3X5vD97Thu',
    'p+TG7S1xTSikI8OFDekaGDxhnNDxy5D71xGHARB2/6YRySY7LahZnC1/+AEPMDqOHZo4O57Lm3v7u70X/KU0rq4jMt0XU0jtVduSE9ONqpGOBP',
    'gpFfZtMcZTINKFrOuMJSMI9mcE4C3NWLcff2WzU3XN8BOCTYzzX3ouNIIHmwdLni7KJqvAWMAidPhaCffFdvPhGxzShROqPaNA4LXW3YkxVFNT',
    'Du3MQclimhnHcG2RcGY5xPNUc7JwZYVnm9czXBFK16xd84TI2pyDVA4QdZw/HkGud01raeWuEsYYgI/hY3XxXWbvbQpFK10MCS+GsWP0KSpAqH',
    'CAwjgzYe7uKsGrEnBZ9VtEnYqFap5cpaxK4VPP7v6pn6nrsk/WYTPv7XqDcQ+VU9lzAao487Tv7s3oEVHg5ECpX7BXSR1qVPLtaNLi9Zk2iTvG',
    'GmjrbfJITMW8eEHJqJRhRw7xOEd5pKmQZm/h/RFPmvX/fvzDW8VxRL8RV5BIuTATv0IWAcUXUNEhp2WtWgi+PL1xQjwWHMAZAZwErRwS8HAhti',
    'CZhqKj5gzyC199daFN2TW2bbP6buhKbzJrCcyFyhgAAAAAPuYzyUrGHG4EwYUEjgwLBAAQAAAhAQwAiUmjNuAGDQH9XQB9oPwr8fm8WTXDSZdn',
    '+HwDUdaBPT//oQ+QJP2DRWx2943FUH/Ftc9VU7aPhTi4nqogwlv5DzdG7xwVdLQngqZqsIYt3QggXdv8z9KwmIOMdj1mNw5FxZU0rMLiXL6Sce',
    'RRHN1PMWwJcsfFQSn6gKFJupG9l7xNyVyL8azRcJOFsP6Yj6jzuII0sHa8ZsWbfSAv4iZzK8A0YgLnCRyrhsprFHkiHaRWyKGxfpRGXvNXXL5c',
    '1gbcqneELxW2PweU4seBAwP5oGWdG7rDkmcL6IF9uneapypal/kZnsHTfwaRGvFxU/S16iyaWdBToRv7mSU7lH3Y37mrmVb6n16AuaNdmjeDVe',
    '28dN9mukT54ai0z0sM52gs68feiScWgIpvOkEmLt3LXsz5AKKf90FQbEwITGbXAJIE9pRxjMHSFr7LuyCn43NiuNbYa28/nCIS4LWszvUI3Kz7',
    'LBD+T4VljYno0iyx31vNMzdkRGKdYA4GQGKsKjehXEG6ftnMd9VMeLXCvSB0P1Iku0vvHqNAspA77yRLNhU337+AtNHQK3hmn6HJe+UcDpHl5l',
    '16pwHPBN11e4iApq5/p7nsd6KHugjig0wcmqHp0fC3CAzz7I59F4wBxvuSQ2XLv2PJwzRq7yQ+j/DEfXjbxKpYikhOxlCTXvK6WXs46rc6Bq35',
    'jwAAAABiRI9I+doCTQAC3gTADKEEjgwAAPzg16EUFzswAwAAAAAEWVo=',
  ],
);

/** xz --format=lzma -1: no size, an end marker. */
export const LZMA_ENDED = bytesOf(
  ...[
    'XQAAEAD//////////wAEm0tyoXWE/vQOb7W7+FE8nFeTuyG9NmlyycFUck/yu7NSVYVMKyXqL5u7qy9FCHDPEWMkvjj7TeXFxKKBZ5rbpSFdV7',
    'VHfTyHgYx/fYmqg5GsE164LceHipXt2lXHYqPmN0y3eJQd+EkJoYE3pestQCbz6P78fdfm8P3tOG6n5MbtLXFNKKQjw4UN6RoTkC335eRGew2v',
    'OZWkBr3gqC9VMaHrT/G+xHM1BvIwkz9ayOjQq0pIecPKGl7CiT5Rpaunn/oCeOdzj0z6QTuDQdgzKwVShxyc2WWKvQH0tBor6DWpjh1UUiOJUV',
    'ykYvr/CN4MSERf4thwod69G1l3Jbr8H7Z1nMQdG8rY/gJoqI7jCt/SEIG/yEF87YBTipQ1TLMV00D0oPrzLZMzLJg9F3WVgBVbfcNTTw8QpBGB',
    'MTrgdbZHjg0o1DOUzYEGew2avByMU2eFzxumBfjxF0Em+dJ52N/NPa+Soyo02Iz9UFOVxb0GEPLpo6P1GTmsZMV99du1M11hDhu26CuJEHd91j',
    'WPjeeIcBGNeTF3uAInPinM76XAd92hNicGaylwlLTg738Y17zSLQDSvrP8854ORf+VZyI8t4IRVftGNMLXQXBzwUyFGGHm8pFtIirIc6dtbVcZ',
    'OhJa8sC+PWqhTZgWv0H3CyR8H7E0kyCSCUxZavcYXshrcDuPAhB+7s975d7acgbyC3FrlmsBSCJ82ENgwmU0JWt2jbiDdMHHxNyil5G6pnb+/f',
    '5SGAGudEijp+HC0F5VXK66Y0HLxNZMKjVi+A8NgJrnbuj5lQW4wmiL6WVRzFuBdKhBhqVceHCUsPRHt9BU7O5U7EpJhuvmQ2oDSzMl19uR2OY/',
    'CSoEOu//y9q/YL8mBS/9R0Lwg1ISTGZzzqY/uWeUlT/aMeRhUmOebktKBuvAoYsrpGM7b5eBwSGrrKlQ2mB9CGKmI43Mc80q4767VF1OWXgiBg',
    'rQ6SoDFQmeshhDVcf/BarArv+25Xj3g+6leWMFAS3uihHgGWJibecVrL+i9mmbl1XKE4+alBAWCJ7s55v/D+nQLTuT7Yh4zVK//5aeLXqO2drt',
    'm7SFbdLKt43aL2lilQykTmu22mtAgT2XpvqMPJjIknMvcRXzWssxKDCl5fWuZn4qvl8P4BCod+1cWXn5Mqgn2fzIcAvMcXJINAGt+/lbU2VtiH',
    '38aTVa+h8eVW49yz3pqrQasJtA0hvWFpgNWLwLgzDStJbZ+/JXeuAuqRllzc//rD5Ze7E5dP9efx0A',
  ],
);

/** LZMA-JS 2.3.2, mode 1: a size and an end marker. */
export const LZMA_SIZED = bytesOf(
  ...[
    'XQAAAQBODAAAAAAAAAAEm0tyoXtmqhyjvxF/VeYif3e3rIFQSaIN2bBnzR11yL2pyz78bT6Dk0cyw3mL+JFkvBdYBsdlMvod+9ETedkGQuKDLM',
    'FRSvm/AnCz7V40MWz6CBph3GfEgw1r3HCnNoPQR9+L2Mn/+bqd0cSbtAzq/XfXbkrSIydze4Ys0k88fK7aapHMPBvIuQQG8i428LSZ6NvrKUkA',
    'SEpiipTJVchzwH5QSgyNC5RBa9reaODrVYkaxbQVdxEV/mDVXCA+CnI/hLyij/XIBkjTJUYvSbAghH+CKmviGX2fg/oH42hHWJbncriVTbyqCS',
    '6+2/tG6qzOk7JVMAR3pnQnCd7/PBFE79HrGfBQy+PPQ1Wbr1JPF0ou8CGADZc+r8EjDq4amr0ijDRty8mB9UftV3YLMH/uEVKS3+A1ry5RH4mI',
    'TIJkbkLE220u40CcrBzSkkNKtFMUV0ZcbMbuzhbvMCNv+tWcRQ3TOZiNuZ+zZGnz5oG37En4zSdghhAja9/oFQU2iOl3LjefZY8+YK14NL6HGb',
    'ZVIlmoICagVfW6KNX2p/5Gea+75ApIlKpW7+QkxX63tsXYl4S3bSnroc4G4h9ZhgW4pcd6fk3YCq5ikN2kbVmB5JgWdVJlcEOOsccMgOpRHTJD',
    '7FQkP3KZQxfbitHBz4ETcRRuXW91JMXkB5HO3xVhjHDaXaHNpUvRpY5ohLKtuEKbCSr19KMln6t78Keor5B8/sYOd3scUKjnRFgsloVo46BUeL',
    'dEItEziu6usMi5ohLsBrD3ABbun3csibBH1R18TgSBwE/X/vhaFQocKDU5XQJEDx1ziifOkGmsB3gv8Fd1CbZXC+eIiC044an/MxSXdKs0LRlM',
    'XRyRbBy6SbSMjNmNleSbmd/Rsj7FTy0hUKhsMbsFaB1lCsctDTr7dWqpZpPQEKnlVYfypyMB+sfQQ63c3FKxuavE9qhvCaa/wQRqZUiI9FsM0o',
    'oPd+b9jTM4anv9rNh65yHKpBDssWe7M14RetIr/Ud8FYH4qkDWVL/nuEJEzWEG8rAnn4CCN2f2XuWiZFh4q+0jljrzREKqZ3glsik79aVJgdw/',
    '9wRyo4Lpkup/O4wRj41XTWeMP78vYq+QQCCDO2QdmqXsfrVoHYemIu9cxrD2AlAK//yzWH6IMq7nDjqM3QRNiVTwuq8Dcvho3jmlGe8yzfxo5o',
    'P/9pKijw==',
  ],
);

/** The first 16 digits of SHA-256: with start 0, and with start 4,294,963,200, where addresses wrap. */
export const FILTER_DIGESTS = {
  x86: ['2ae6bdf852185da5', '9ccf944723d73418'],
  powerpc: ['0cb016f5e688ddee', '13a8ec4c769d529c'],
  ia64: ['5bdd9a25428c40f3', '8e8cc5326b7521cd'],
  arm: ['bbf772dc2c81eace', '1c470e5cc2dc3efe'],
  armthumb: ['0982bef187ecdb78', 'e625a40767645724'],
  sparc: ['68563c52b61156a5', 'bc270049eb80774f'],
  arm64: ['b2dbbcdc3b01f331', 'c5284aa67f41e21c'],
  riscv: ['79e87c8814ab86c2', 'c364dc1c91f5faec'],
} as const;
export const FILTER_STARTS = [0, 4_294_963_200] as const;

/** Opcodes of x86 so close that they overlap: `branchCode(13, 100_000, X86_OVERLAPS)` with start 4096. */
export const X86_OVERLAPS = [0xe8, 0xe8, 0xe9, 0x00, 0xff, 0x02];
export const X86_OVERLAPS_DIGEST = '1afff3a36eb5a3f9';
