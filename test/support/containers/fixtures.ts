/**
 * Images that foreign tools wrote, so that finders are tested against them where no tool is: of five files in the root (9,500,
 * 300, 150, 4,096 and 150 bytes; the third is noise), a link, and a file of 1,000 bytes in a folder.
 */
import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';

const imageOf = (...base64: string[]): Uint8Array =>
  new Uint8Array(inflateSync(Buffer.from(base64.join(''), 'base64')));

/** mksquashfs 4.5.1: -comp gzip -b 4096 -nopad. */
export const SQUASHFS_GZIP = imageOf(
  ...[
    'eNpFlnk0FNz/x2eGMYPB2LIl04RSyhhjffQ01sY2iKSxzmRfJvtSWccShpohSbKrKTs9KEuWbOGxUyRL1tQIZRk8vnXyO7/POZ/P+/M+997zuf/c',
    'e15u/r7+nICjgAMAQMDvhAGaf1X2X70s8M8SP/cf/Zfrj+4eaebRYakjn3akzUcaMpF8zYDUioLtczlQdM1Yh5CX9x37ZWsh6W9rMBP6G0H1DjXT',
    '/f+FfGra7u9f7btR7/3Qu95+O2w/6/Gsb8TI0sBB6MHEs1zxyU3W3lLp/EFgCUdR0jAjScXUKdbRoGO9ecl+DwgV3WZxqy3pwyMipW69vfhMd09B',
    'Qxgu5iBN0MTVWGD4aOxSIppbLgRY99319S019qcwKfwA1Jn/rZ/QMDjSQq+1WqP449+h6tqapOdyTmP1nNQnuqAK4bQVjR9XEiUWjWxsI4g3x9y/',
    'feZTPEsO4jkn2hj59XyEkWEF9DnviC3ep8XKYmDfr494nqFGo95B3lTLQaevfO8fk3ugNNc7DT97UvE028Z7ekCP+jmhl0qRPVWjaWbYuWVlmf6v',
    'JBsD4cKGTCM4OuGk0IM7QRimTxlTrCgzxTUt9mXx95K9jbxZ+TUp7g0vjzq/lL8MrnNza/JXIQMrPaBGBNAX525hTi3eKwJPK7t2KFfa9BkXOtA0',
    'S7ywZyRhVL/x/WRz2Ng8p75XUyL7joGDR8lFPttqFGpQXdUqAW4diwaFyDz76p8SNnk71l4w+FYLpvofGnFeqrJpJYru1FIqB9eKfegtvnaf8e3v',
    'Adj2v6hP7DpIDgnM0qGefNe7vo+Dlk8mCj7b5TuXgsmL2kIqG3uS+SMw/qmPISXC7R+G3vmaw1bS6RbFG5bTn4D5kukSX+68qj9/qlhy0gSnLkJ0',
    'H/cGiX24sjfssV/bTS8KqlXBy5DjLrEcKGEhE7HXbKIpKGiDYfkipYZ5wFdR3MG+SDtg/OTnhLVFdrKq32yZvpz2tSdPVn3dWw2Tn16qK13bC77E',
    '8lrdyspRyL7HvB1xeluiz0pl6Jrt6b7v3uzMbJXyHpcF34qppDnsRrFX6b7EoHTPQilVh1v8uOBepY7M/mrpOhW5ZiPo1P24KYnLj+mybmVX6I2S',
    'TilyTM1arbFFiRXMy0u1+PwVyx50oXCUt7epqbMQeupaGkbvEOjKAfWWDBGJY8a+h2lhazRCc3OF9hWtEUDxQcJ3KGNOCXXyVCES2LqeTvug1vB4',
    'hpYVrTNluUJIaXjH9cC/jOZ4rPoDEMyv+ka19E6nsU3FGUh+iWXUGIKHGpctrEmbx8q0fiHR+q/2IJTCYkjzl3Lhu5BkHjGZAf4WYQ8f8kn5slcI',
    'Prm1LEFjLeGMREGR5OXEGYFoS4EOGXKGawBkPmbY8I5ldKmskFXFxzBzE6PBG9YZZzxYZJc5yaVSu2QQ8S0t4UuHSLNoAOYne1Iy2uLupq2PLpat',
    'qhOTU6M94q/MRQycyNawCFUqGEFogeB2Tg1kfQPVtwT1dmOcfODfPsd1BfxV817pedJvfrdVID0FKDs2XI1KLdcMW3jE0WSY0VcjUueRunl9Wic4',
    'KINr0aKWNc+vUy85Y6bUXthBMPRqERMW0oXhMQdDtew/R0sQyJ7NY6TNNdnbV/VZyoulT1NJ9y/wgY7VZ0u454Vf9QPnHoavjpL2wNAzkTW/vhnL',
    'D8JtKKiNTPHuu8EDCCPnSZfA/aZwNcgsXED6SeBkeYynnNzo69GCn/4LfPKXu53tyZSdU14xvaZpbKqeoZqd3K45ZZtpDQX4iBGYklvGJMVdHWyi',
    'PM2V+LFTSLIMOtJbq0pRlHkNOVHI3ScSsPB6/YGjlaQuchYL5Yu9ZrV0+YeeyXJIg5zUCDeblLco/YZGM7eT7SuxQAbn4nnxeSy9tjfuBF2ewANw',
    'rsD7OegtTjKovoFJrH5kZHAtH5BTszHPh70fsTPYkp8+fs+jscWezcBSXuHQhjMen6gG2lLQ72rd/P0uOoltKJhte/Hz5sTqQ0BCaavn/UvpcvTl',
    'OkqNs/2JVat7zuHh2atbmRHX7MhLlf05S56s3UtVxsO3vL51Xrq83fcZ1AB0X3sTT/Vdg6tudQlokjYyRRA08ot2llqDrkgHN9wXDMY0tDM34v2C',
    'av9pUkXahZdfkBQP+SF4sdOBp/4FJH7A6QW8icrSxI63ossDO6ys8BYMsOrNjLsur3o3URnxK8MFZliZbEP0oA2X9cpQdLw5bipGf/Y/nCiHhnVQ',
    'KL9A/hNVdrOQlygLrYmygsuT8eRUDKBzwBYzlSf+707I14tJLY2MxQv5ExAn2rP659ZM0H2jpvqRngVitci4MIHXhG3HUQcOI/ifTqRDjaIne/Wf',
    'l+z46pBUuY7PxLT2/hMpyww35h6nU4i8tY8ffMEAn/5oUiIF7hPk3BNvfNZGVsKrmhEk/LXLHwS+cddL6lNJLwR25xsx2l282zFoAmXPttV4mzEU',
    'IB2kEPWU49COTPbM/w74FHxDqsCQb7drPMuKbv8vT2DPdf6PhLLq6zWPJGFXJTa4BTNEP8IKK0EhudKHAcx9FZacPKuu0HHE19ftTkAl0a2tdiMP',
    '4jWnZRQsIT3UzTDAMcrJvL3W7s3TPDs08XpsoEKARzGW+clizskxhMvLrWrNwf5AROuEGtJ8MzvCb2smDyucFDwTf8y8K+1nZf++e0zqjG+YTbET',
    '9EU46lhOQYmCFHpvS0oqI9o0ZMIIb2iB6zHuxZnjDPqN3xma40zxhnFwuZXnXN3dCQlyco6yVezaMmnJJF30gHEdp5mitCxOvCNGlE8gCn2So4Vq',
    'pGdFnTtRB32PlHbNz6TOumUk44bgPWbHk+dE65brD0gyVAfv4bbWc/0ZxxsJE22Z5nkvDz9lISlh9xZsxBpvvmtyNjXGJIX8nGl7KOehuYauO/Hs',
    'XJmR0qdiCXOfRPPvNV97Yz6f1i5NkZ7/K+f2Yhitdsn5Vnz4bnLxPcHhh6p3T4O/qdTVD/v7yVf3m1gsBvdgwllMYvrUXtHBbmLP7OmbF+fPHGj0',
    '2S7cjhoDsfU5iyAfeh174lpedH5DUGmAv5IidAGnlQwdt2zQ4uARlZ51KhyhJ1YI6J2MaRVYPGMAHvbqtdZPAAe4OspKWkrp8OiYuiybw8buyTSS',
    'eoDWjRTDvEU2p9IuMajMBRQILDeaJ4PttUyiFyHGEHMQZWvFOdF2D6HgPLByXJt5KiATkRj4/gZEWezkhtRZPqV1ErcdFdX2zasOkXLlvLAyDkXn',
    'SMfwPNTpA1nb3ROTXSZGWs3MdrXe9Uqy0iSl092YrWKjolEpzIvGt3PPAv4r0Myg/GKnGyTr1i4AGKEPgh9CQHAH/QdRLdSEqBb43Ry23SycxyNR',
    'ODaeBgTn+kZ58LMyBn+Y6KS6AucCS6CqKCgK5YbOe0HUQ3+Gj8Bc4g59QlUYEtiAfDI+3F6jiswrPcWPTXVAUSzfxPZUn9o1A331tAzFS+fMK91F',
    '+wDdAWh1USLx9yUcIwG8iHCOt8bYrA4OYaeYIWNYCSzhtfpu6IoGVlGWQyVOemqOup9PF0JA3pqM9fX0y+O9iY4cxSaD53HGpnYtzaB041jGRWCa',
    'I0drVm+Dl4q+SoVWe5EBYPWWYDM8chzyhxXbjlgz+ogdkUfDJc88ARXZ5P7gOhMGMqxW1F52NWsST+MDhLmwPco62sse+bt2HTm+Xw4EuOkC/tUH',
    'Eb0CneGR/8e4v2fw/Moxrv/3v2PpyP8PF2juGQ==',
  ],
);

/** mksquashfs 4.5.1: -comp zstd -b 4096 -nopad. */
export const SQUASHFS_ZSTD = imageOf(
  ...[
    'eNpFVmdQE9gWTiCElpAEQkBaQlOQFjqEYgihBFGaAvaQhBAh0kF4FEOTrkBEwEWkKaHYABVRhBUMKCzSVIjSlYAUBaXoCj524c07M/d+3zdnztzz',
    '45w7HyMsJEwUsBtwAAC4DWAABNC2zUDbfC9wJyUjvoNDYjv4exfTdouldnX2LnJ3UeOB3iYZAHuAAJQ7wiF9vmbJjprnQwFypcp/qxR8YRvk+qmu',
    'MLtUx/d9Cj1jkpe90H2xh/ssbqTLfi09bg8QoyFPBbRlxhGswSlQZZkVFp/Dukk6O40hUK/U1EtIumIYIJE9FCwKZCO5v4rOeIi5rQBX3XcmrHY4',
    '2uWyC4vndp37seMDNnFQe3REP8N3iiat1/25ne0LnnFaWTi7nqifr4+PVatdiuXu83aJUNK62urmqZ4ximgfs21y3eyQKtJNIqoJGVQgZb63vKOG',
    'BjmKuBklxhuqHYEtT6XnXfzhpzYwNR1k3E/SSJIgpN71ZV3umRWUxrtWXJB7W2UdbJOmeRPraGY5fsGuIUhH3SYQc4w068LMGdaWQrqafa3NbICZ',
    'IbJNWiUnnZsTmETf0IpWU+sZ5dGK0cdPUlJAbSImbPVjwgUpdcSSYWra9E/gA0XbXnKj5Aa9EpZCL9XRbNqD1sIMNy0E5fcugNtXbtMz7P1RRoaR',
    'TQoVAVM3sKH6dbV2WUpZ16OWb0eDgJmQgnnswin0pArq2R6Lco+jDzQFB8dkYv5+EbOcYqn3XtfUpq4//iWCKtrvlOuxln5o4UyXhzxgUxL8hx9m',
    '0T2Vibqk2BverTU9INmmhPVU88wJ2bfInbu34ET5ChY9m3vD9kvwc01ssY5jg+V/UrZe8y+63n9KPFPdmXGp6dSxQMD6mieCd9frV+HT44//sLKN',
    'cHgV7C12KxJEXvkJ+9U0aAV6ZUr0EpMqyrzn9BNbKKAeVwzZnR9fBICSIi7WZ0okFc0BkKXK8eYl077fA1oNeAa8q/0Ps67+WNX61r1scDgHL29D',
    'CPgoc7yC9YUTwmbwDDHJstSuHhwCI5LIAoE0aXADp+qislw1knAwIjroin/ChLrl4TzD1yeRKvoGkc0qdN3ypCv+63UaIYFqc+++gDK/4+tLH+bw',
    'SRNGa0eeT+AnbvfviTzH9T74JhbHlAtnHwvvZFpaBxbCQstP1dbbykbUtKrEdDw+oXQzS8HL3vqT+qkFFelPvAXXWlqLec5IsKOg3uSbmmte0LAb',
    'Dj1oz/fwuWVqPGE6xPGVk4Li6UnMYRTyjhhr4rbTI5g9vHFe2uFjOlcj550ZPvBL0dCZcTUlZH2olG2MqLuEkPMLW4FzEyS9czx3bZ7gMJ88lrSR',
    'HIB6njXHCXJj0HpjGhBtWglLM291Vz6UujzMqSsowhX0JyKINS7lyYX9YwEmueralnIjpYbCuPQ8jftli6R529Oi/o0InPIAOk44mnQiNL46k07k',
    'csyYxSdrHIB4JSlq4ubFHju1qlLTQF2nMc038pd8AR+lHOwMnHO0ugqqyx3GoIGB/L2vfRkNzTJWl86scy4V2MvJJZhOEkLQmcKUDmd2cb4syqoM',
    '+CBfdOsTNR7cQKi5VZr+uLqwr71REvj+ZOpyGfeZ5HCTRzK/oHNZd8iXdj3IyDxxMsbEDcMavcaOlHVjlz9KkWcxhRD3b6Cb5d5WY8xc+avmlbb7',
    'YzkgL+i/U6MAMhYGEIhi4n18omNXrxBAzAqog85b0dTjG3lchZFSVhmSy2E4OVGIaBrxqXSlihdH//Vw43mMAAWeFCEsCUe45rgC3fHuAl4TxQcb',
    '7vVQ9EEQAac1M9TDEutek9+DiQdO96BkRCyeRsfjkvHe0d3m7fD5PQSX1Ava7IqBNPV9+fai46d02rGZirCRYtuE+Au8Np7K1TWpidsjza29OucO',
    'ALsEHBy9Pm11n6/8rIPU+evtS2f/PPu90LMVo3+ld36Vuuy6jlv1FrqWQKyTLMYvB54q8prdX4rymMKY6M7HXu9Cx9c07Y+qAu9uCXR7SxwkIH3S',
    'uOQunZ1fllcVd41RH3SjctlNDj3+yOUaY3zjmey4zABtvAnQlgpiYe+7gFNeRjEk/xZgzXBs2E2uhTNwOAHi7vkJiFADiQBTZZMhyx0atsaGpDwJ',
    'ih3F8DL6+l3mYVveol+oZK/8AYuYhGr946Q7LuOnH1lHn3j+AXVUa0gpkBxxfuwd8njayboVUcWT0pCNtce5SWneTMuHBbHXWnsL0lpLLcGHXs45',
    '0lWNZhvdI8VCCHYZ1TFuv/SVUpWj1aTK3MJ+sZc0k4c7TO/NTw2IiFfMAJZuNvM/l2RvmprlxMxb/e7zSTNr3Bzmw5buxLsT7/jzyt672SXrDOMI',
    'iCjDoWHumqjxSAAg/BDEjfcuI/0e+SKHqOGdnaA+Szt/nTYIHll7scR6Bfs6bCU9GDml2OJfpVyglcxZEK3bO6nthrxrGMmeTiHKHauYvw69m9st',
    'LyjIqOXyJtpGhZeLu499mCcHWtiBt/6EniNUwyqiE/XQtSU1x4sNsi81LxTM/9Y/WPvt2wVSvbeGiDjhlpEZFPmYPgRt+U/eh6IlNGOE+1BH1VlD',
    'qOYkZ2C4jk0OfnIYNOm5JfKcpVaVaxTSPyA4ax2pST+ku16AmSsEAjMC+TeCkWpWrZRBmZGSywg+LOoStp3z6b0CviEcOwYJO6LArXt6Df/O8zen',
    'xLJifEXvYK9npo8X7UiNXGn+aJ0G/2j/fvUyAfzOauCFzkEAleJUCh1DP+vDoGFofmcp/jSMH5VCpfn5YqhUHx8abTvtu9SKCgeuWvl5ekX3GL14',
    'E5ElxIhSaR0rDsU+m0anAA+OKC4K+/iYeH+e+Pr9yl7IEkNs2k/5Dt2wRcc7+BUQ8V6xiNzZdRTXQQ6y7Z052A/NmvNL0zs//Gbax6+KJUNxf4Id',
    'fUxinxJ0HjEWXLql8ePQU0HFlu+pfM6g10vepEjE6lVTtfXg/aVYzVt9xyobpEsO7NdC/vBlcv7UGuJRX2OIZNl6HAyBAWHLVEokHf8UouQZ/QW0',
    'o0Apr6MWln5m+8zu/bywV9ards29uRBifaTn291DltpMcVA9idLYvMp1GQZngfSjvAxQYjRxRPn5km5oUNOPO/KBRh0mxxn9aeie1c6xRYe0V9Ex',
    'ylVFcU11DV81worbYlraq6VSTpz+WQGbJ0Sa3srYTM0COpm7Mr9/y/tAkDdkvEhM3SeYI78+aaSsnY3DeR8dORqy4rZRkFU2l49x0p0qkmCgOPd/',
    'jVl3Oj/ZENTyT99xSvaATUHAwEtpTKnmbSAsSqANSZ5N9E/2RFHxyTieKv0FNeKC6n33V0i0dmz8b6PR4L+FsfNPmBI2tBVHVI7FXYt+i/CjW+Pe',
    'lOfcUEB4gOZW0FxR9n1jewXrn9MPNHRgmDbtI7AcHyv9ZLKls7KEYxT8YtJhk2aLEB+DGY9WrmJX3VMg/d9WMAmLAoApMFL2XoAEROnb1ZpAEtah',
    'XvugMWSp3V27mqlJioxLAOGJUmpQcKoCe0PMlGtTQzWPTZILsxkK10j/8oSMWj3pkLchAPUrrxQ0j72A6f/VEqMvCOj0UBWooONF4Kxl4R2TWLBr',
    'MmN2TaPeTgeOxkBAva0wvO+mPlyacDYDDmCLfmfQxH7PHNh6eeZXO7ruAFQAQCaD7+TvFoJY/9y9uwq2rQQAQXShbR7pw4zwhbP+53T/eRC6fT6I',
    '/V//E4u7+r8pcryR',
  ],
);

/** mkfs.erofs 1.5: -zlz4hc -Eztailpacking. */
export const EROFS_LZ4 = imageOf(
  ...[
    'eNrtWHmYVuV1P+++3XvOzDDDsMwCCI0gwyJLNQnIligRZVNQlMIs3wwoMOxbFBVEEE2EiBB8GpBKBGKldStSFx5FFFGotg8mLgiIW1qDVZimEOz0',
    '/WYGHdMl/bNPMud57nfPve977z3v2X6/9wNokRZpkT9Vef9Y3dG5O67eKKKeQGdwTfdZszm8mf78rkN/9XlF7j9sPAgd/ubl2ta//77ceNTX/9+/',
    'L+Pxm8EC1jdd19d/8+nOTedp0Ypz+vSod2vSa6OlmSZ9XtSnNek3Rf3WJn1Z1Gc36XdGfUGTvhoMLGrS18Z39ujRo7xsWu2MmoqyOVNqZ8+tLJtR',
    'O3VOpqpsZnlNJtN4b9rUGTfOmVfxlX06HltuY1DU5Wub2TdW2MU0+DSHdcieilTj+KDKiuoOEqqqaqZW3FBlAPLgyZrKisoOlZXl5VXxhigDQ9C3',
    'qibTD8ZVTy2fUjUcCjI9gTqAYAZYBpgCXgI0D4AGgrXTwJWBvh/aZB4BNwz4aPAXAfQCcyeYwwDtwGwD3RXMJOAXMjUFQikTYyBNIMyFZA24L6Ft',
    '5joIQ5g7C+4g42PB7QbbFvAsS98Bupdx9QHjxcD7gXkVxDqwT4K9C2gvsyWZO0BHq7ZBMhZMDiRlrCRzFMIVoI4z9RpLhvL0PwD3gH8GXJyxAegu',
    'cPo7zL7JXD23b7BoTDpR0DOQYgcwgYd3eTgE/nmGFUArIIcGg8EejIYx4TJglwv3pkw+A3+MB8H4Eh5WMlwMejvzTwhfCd0qqkdxhwxHKT9V6Dou',
    'Ryh9nXQHpPxc0sMMwl6JqXQXMpqnvBsOrl7iw5xe4CEtAZ+n0r3K9md+gCzNVDKZtgM8I/EaRcuEMD/gfln01UlhqmQ4IHEsp74iTe8F9YVOH5d2',
    'gUo2QbrE+H6g9gscpGmAsvSikGYhS3cw7KRxq6bLBcPuzL+kSzOPShlaabsQ/AQoyeRKvBjccm4/FzRIateep0MdfsDoJ5b7akU5Ssp/F+lPuW+t',
    '/G7APhy7cRcTob8V9lKeFkDyKbMjPS0GFZYqdUjIF0Bfa9QTMiZUegnDZwF/JmkuE/4sc0WSuBR4UGCdpetDSFNFt0oeYrwGC/qdBhrPGN3JACsB',
    'dwo64oTdrgwxMxzwcMBNDpWxoz29CCY5xelamWfXqbCJ0R02SV6H5IjD9QoT4Q8YOUnSD41wYxmtS1goDz0rqr9IdHqXpus9T+8R9jIozaxMHfaR',
    '8a3hzUAy0bQPeFrEk7pgWoN5V+HbzJ2HtAc0zuU4ieF8Q69EG3somzygqT64dIL3r5p0DdJ3UvAbeGjLsXOwO0w6PcVegapJhR3MrHZUmRSYpYa+',
    'H4C26TSZB7TcWCw3/hJfmpnARLYwRhhzkqX9uanX2IfR0hxND6Y5eGVCD4g0PAZqF9K3JFCN9ngAELR52WFn5YpiCBRznwXzoacrmPI3h7S3TO9L',
    '7OvKPuX0B5p+FpSb7myxoR55wr3F3XoXXbLJQ/wdLQTdwmIh3d6KLs4roQlK08pcFkeqJCPGBM6BsN0mj3jMYXShUq6AUV1q8GakyVL7FzUdToJb',
    'AriLJ+UJnREG7+e4Iofa5emkK8dP86lPdPWljDZxRmttdP2/GU4PtXL4ocLPNA3KM8m0AnslUj8p6ArP6GMuaEuIL449pyNmrfwlaJpOAe/MoXe4',
    'TJYxV87D+QzfMFiWp9rnxin9Ex4+tMlxkT7iXC0lCyVtdyHUgl3FaKLV9Eobg8vJD3bqYZX8vUy2MxrpGI3OY9i3Nb1jEirKEVSsGO2VDHdbnMFx',
    'RqoHcipiBi+FdHBSmhlVaKiX5HQkOieYHHwqD4PzH6d0lRH0kULaYqX/EMzu4HMs3RBv/kgL+2C7aOD6pBT/wgSdHzbn4hmiI6jtrySulTie4RGg',
    'rvkmbBM0kwm6K8/igrZGF9kD+WFdgoNzKdGMektPDzgeDubSo7kJzg/UTisaY4CGFaZpX4W/cLSilaEt3oQhkvYVOcorib2ldy7Hy3UyK5+GakG6',
    'JBv93PZAJ4uRbm8rKE8A7UFHpTEXureVVMWT0J6ZPjn+MPOzLL7L6ETsTbelVC0SWmUC/XWpx47FSZ9iel55HOSpLt/hHQrHFuK+Qno/l9Mpq/An',
    'ufhBKW2I3uucj98vxp2eUnJYYmMzw/2FNEklfhxLtjvsVUBnWMCZQL1KGG3M83QWOa32Eu8xtCRmfVLi8F5GE0DHHk4T2grs3QYH5tBlqUlZW7rn',
    'PEYd44qcyMP+hhSzpDr58ELrsBTwBaCjJZa22hLcqfBgcfq9IsrN0bFfjcpCYXUDvsoGfO3O/ns+0lx4RMTa6vnl0+ZlGcHSRi6T0zj2hc4CbgOO',
    'dmjE3A5ZuFWwOSJsE+iGLNzpbiAScEMBrgI1BER+hCOAUpAB+KQsTIuoDAc5MgJtGbjVoPKArQezNdu90ydBzgZTCnw6uCfB/QhWN4B69hv/M//J',
    'rm9dM/4jmo2f2N16LqsbUDNu/KLX+u49NO9uNWVhp93v/eXsXs8dL13OLn+r+DemvLz/Nf989F9Prf2z5MQUf7ym447qPs+WXTNzP8t9p3jD5Jf3',
    'Xf3tFyfXDj340eVvpHf/umZlzwW/OnS8vGbrrYUVY57udXjX8HsnihFv9RMnHjr/9BXPiOJnT634eNs/jX/l7WN2Xt26P+/825ndHujV9aHXr93y',
    'eMHGS7pdkH8a/gv/WdfMZvWNFY77Kg7ZEJ5kTd7PhqPBNznAEtjSGIGso6K3vwWMQFjgEvgQ4J2AXZxlOz/Ihq8QoD/w1iCHAXaFyY3P/e/8sn4z',
    'a7DznH91s/FGwveH+CmH85s9b5qNL/qKp37NT7tEfWOTHpeS5ZXV/1/5/7n4nauTc2v+WhaK5nX0/Ff5HANoYVpjNAlUXKiDxxsLrCEo7YH3BHYB',
    'RMooeoPJA3MlQAAxDPRFIEaCLgK3Cux5kI4CygVpxoD7NiSPQRLJ70dgI77nghkKqoCZyLfHA58M+mbwnwE9B5yWQ6AB0bkIqgqSRcz8HNwZsBqS',
    'BSy5BcwbYB8H14n728DOBOzIVArpGZZM4f6hyLK2Mkq4xE2gHwT7CMerQEbCHS+/y/ECMIO5787D09x/wl1vVpSJxGkAs5rhlcL35LYD6EeZncro',
    '/pjtLwGuYeliofeDuBrsEqY3cFzDMVKygbFBrhQa10JgIvb2i6SWcY91EyBy8bQsydzE8KUsxuhIpI9DFtwHcJVeBbhZJosVaeHMNRAJOY4DdRL0',
    'E4ATubqO+faMPlfS3A50LYCZD7RKiJABWi8hfUr5H2v3vqRPGKe9WlM5eDwmzXbpN6vwTIyDxPo4lXE/gmOqsJbhIIWnNfWOnOuswDxTmplslDih',
    'qR3n6fURd7WI1AeH6PQY0GVc0arYJNuI9A5OlRb0e4ArwE7SxRkncCMzt4LOEfoftfqU0x7uelRUXwiRsUh6z7AsR18S80Cb2Tq8xP0vhdtj7I+B',
    'futy/DhJJyOb/FsTHbHLSb+MJxF0n9AcD0v6VLv0NU/ftTIdp+hLLXGps2/aMMraNV7vN6Ev16O9O8TsQJHWefydSwsV9nR8okgrLRVGUnta2G4e',
    '3w50VIqSTJ01a8GP9UmM1Copk3bOtPLYhrnJnKxX1F0BnlZ4iaL+XLnNkHRlMVFV8nfOTdFhjYxGfk9IfN+YNVIWOBwpaHEaKC8xNMsy3G7oMQ04',
    'B/1bmuYbhbtRPMt1O5V8YugXDNJ9IrmOJz/U9Krh/igPJw0tkxxPOZrFLY2ISf5KkkxuLKk/VL+fNAMN+40ZHVnz/ntKNBVwYxNu6J4Iw7If0SDa',
    'gS1r2HMWgiiBWAj9YpV3zm6n2oObBrGWoDuIG+PuZxDYNiD6QHI+mAjvlcDd4eggyM1IYGPB/jw2DqACBlwDuy2Loebu7Ex5A3SpqK4B2RbELCDP',
    'uI070yqQP4VwI0t3ga4EcwuTBeAWRb7BBBSCHgbiKLugohrBxO1LJYQSbvoy2glGFYDqwu19zHzJYjXY9tyOYn44UzshvY+b5wDzWSKZHMPs7Zwu',
    'A8Z/zUIPwEFxAwX0L0yn81hyBHAKzGxCoJa/hFqkRVqkRVqkRVqkRVrkj1j+E4731uY=',
  ],
);

export const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

/** Digests of the files, in the order of their paths. */
export const FIXTURE_FILES: readonly string[] = [
  '2fbe10a2b4551ced',
  '71ddfd35c5a0741a',
  '1552b05948c216b8',
  'b8c9800332594345',
  'd9cb411deba96b2f',
  '3bf443780c2f850c',
];
